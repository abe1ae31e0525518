"""Fetch the pretrained model and the dataset, verified against the catalog.

Reads   catalog.yaml, own/, and the sources that they name (the only stage, with download_cross, that may touch the
        network)
Writes  models/pretrained/    the model's files, each with the sha256 that the catalog pins, and origin.json
        data/raw/             train.parquet and, where the dataset has one, test.parquet: text, label; origin.json

    python -m stages.download
"""

import shutil
from pathlib import Path

from tqdm import tqdm

from sentiment.catalog import load_catalog
from sentiment.command import run
from sentiment.datasets import find_dataset, save
from sentiment.files import replacing, write_json
from sentiment.params import load_params
from sentiment.sources import locate

PRETRAINED = Path("models/pretrained")
RAW = Path("data/raw")


def main() -> None:
    params = load_params()
    catalog = load_catalog()
    model = catalog.model(params.model)
    dataset = find_dataset(params.dataset, params.download, catalog)

    print(f"model {params.model} from {model.source}, licence {model.licence}: {model.description}")
    print(f"{model.parameters:,} parameters, {model.tokenization}, up to {model.max_length} tokens")
    print(dataset)
    with replacing(PRETRAINED) as pretrained, replacing(RAW) as raw:
        for name, expected in tqdm(model.files.items(), desc="model files", unit="file"):
            target = pretrained / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(locate(model.source, name, str(expected), "model"), target)
        origin = {"model": params.model, "licence": model.licence, "origin": model.origin, "revision": model.revision}
        write_json(pretrained / "origin.json", origin)

        raw.mkdir()
        write_json(
            raw / "origin.json", save(dataset, {split: raw / f"{split}.parquet" for split in dataset.entry.splits})
        )


if __name__ == "__main__":
    run(main, "download", network=True)
