"""Fetch the further datasets, verified against the catalog.

Reads   catalog.yaml, own/, and the sources that are named
Writes  data/cross/NAME.parquet        text, label: the test split, or all there is where the dataset has no splits
        data/cross/NAME.origin.json    where it came from

NAME is each of cross_datasets.

    python -m stages.download_cross
"""

from pathlib import Path

from sentiment.core.command import run
from sentiment.core.files import replacing
from sentiment.core.params import load_params
from sentiment.sources.catalog import load_catalog
from sentiment.sources.datasets import download_evaluation_split

CROSS = Path("data/cross")


def main() -> None:
    params = load_params()
    catalog = load_catalog()
    with replacing(CROSS) as folder:
        folder.mkdir()
        for name in params.cross_datasets:
            download_evaluation_split(name, params.download, catalog, folder)


if __name__ == "__main__":
    run(main, "download_cross", network=True)
