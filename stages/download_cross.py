"""Fetch one further dataset, verified against the catalog.

Reads   catalog.yaml, own/, and the source that is named
Writes  data/cross/NAME.parquet        text, label: the test split, or all there is where the dataset has no splits
        data/cross/NAME.origin.json    where it came from

    python -m stages.download_cross books
"""

from argparse import ArgumentParser
from pathlib import Path

from sentiment.core.command import run
from sentiment.core.params import load_params
from sentiment.sources.catalog import load_catalog
from sentiment.sources.datasets import download_evaluation_split

CROSS = Path("data/cross")


def main() -> None:
    parser = ArgumentParser("download_cross")
    parser.add_argument("name", help="one of cross_datasets")
    name = parser.parse_args().name
    download_evaluation_split(name, load_params().download, load_catalog(), CROSS)


if __name__ == "__main__":
    run(main, "download_cross", network=True)
