"""Fetch one further dataset, verified against the catalog.

Reads   catalog.yaml, own/, and the source that they name for the dataset
Writes  data/cross/NAME.parquet         text, label: the test split, or all there is where the dataset has no splits
        data/cross/NAME.origin.json     where it came from

    python -m stages.download_cross books
"""

from argparse import ArgumentParser
from pathlib import Path

from sentiment.catalog import load_catalog
from sentiment.command import run
from sentiment.datasets import find_dataset, save
from sentiment.files import write_json
from sentiment.params import load_params

CROSS = Path("data/cross")


def main() -> None:
    parser = ArgumentParser("download_cross")
    parser.add_argument("name", help="as in cross_datasets")
    name = parser.parse_args().name
    dataset = find_dataset(name, load_params().download, load_catalog())
    print(dataset)
    origin = save(dataset, {dataset.entry.evaluation_split: CROSS / f"{name}.parquet"})
    write_json(CROSS / f"{name}.origin.json", origin)


if __name__ == "__main__":
    run(main, "download_cross", network=True)
