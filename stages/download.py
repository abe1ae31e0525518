"""Fetch the pretrained model and the dataset, verified against the catalog.

Reads   catalog.yaml, and the source that it names (the only stage, with download_cross, that may touch the network)
Writes  models/pretrained/    the model's verified files, weights as safetensors, and origin.json
        data/raw/             train.parquet and, where the dataset has one, test.parquet: text, label

    python -m stages.download
"""

from pathlib import Path

from sentiment.catalog import load_catalog
from sentiment.command import run
from sentiment.datasets import load_split
from sentiment.files import replacing
from sentiment.models import download_model
from sentiment.params import load_params
from sentiment.reviews import write_parquet

PRETRAINED = Path("models/pretrained")
RAW = Path("data/raw")


def main() -> None:
    params = load_params()
    catalog = load_catalog()
    dataset = catalog.dataset(params.dataset)

    print(f"dataset {params.dataset} from {dataset.source}, licence {dataset.licence}: {dataset.description}")
    with replacing(PRETRAINED) as pretrained, replacing(RAW) as raw:
        download_model(params.model, catalog, pretrained)
        for split in dataset.splits:
            table = load_split(dataset, split)
            write_parquet(raw / f"{split}.parquet", table)
            print(f"{split}: {table.num_rows:,} reviews")


if __name__ == "__main__":
    run(main, "download", network=True)
