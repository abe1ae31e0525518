"""Fetch one further dataset, verified against the catalog.

Reads   catalog.yaml, and the source that it names for the dataset
Writes  data/cross/NAME.parquet    text, label: the test split, or all there is where the dataset has no splits

    python -m stages.download_cross books
"""

from argparse import ArgumentParser
from pathlib import Path

from sentiment.catalog import load_catalog
from sentiment.command import run
from sentiment.datasets import load_split
from sentiment.reviews import write_parquet

CROSS = Path("data/cross")


def main() -> None:
    parser = ArgumentParser("download_cross")
    parser.add_argument("name", help="a dataset of catalog.yaml")
    name = parser.parse_args().name
    dataset = load_catalog().dataset(name)
    print(f"dataset {name} from {dataset.source}, licence {dataset.licence}")
    table = load_split(dataset, dataset.evaluation_split)
    write_parquet(CROSS / f"{name}.parquet", table)
    print(f"{dataset.evaluation_split}: {table.num_rows:,} reviews")


if __name__ == "__main__":
    run(main, "download_cross", network=True)
