"""Fetch the pretrained model and the dataset, verified against the catalog.

Reads   catalog.yaml, own/, and the sources named (the only stage, with download_cross, that may touch the network)
Writes  models/pretrained/    the model's verified files, weights as safetensors, and origin.json
        data/raw/             train.parquet and, where the dataset has one, test.parquet: text, label; and origin.json

    python -m stages.download
"""

from pathlib import Path

from sentiment.core.command import run
from sentiment.core.files import replacing
from sentiment.core.params import load_params
from sentiment.sources.catalog import load_catalog
from sentiment.sources.datasets import download_dataset
from sentiment.sources.models import download_model

PRETRAINED = Path("models/pretrained")
RAW = Path("data/raw")


def main() -> None:
    params = load_params()
    catalog = load_catalog()
    with replacing(PRETRAINED) as pretrained, replacing(RAW) as raw:
        download_model(params.model, catalog, pretrained)
        download_dataset(params.dataset, params.download, catalog, raw)


if __name__ == "__main__":
    run(main, "download", network=True)
