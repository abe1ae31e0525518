"""Fit the strongest cheap rival again, and score it on the further datasets.

Reads   data/cross/NAME.parquet, data/subsampled/train.parquet, models/pretrained/, metrics/baseline.json
Writes  metrics/cross_baseline/NAME.json                     as cross_dataset_evaluate, of the same reviews
        data/predictions/cross_baseline/NAME.parquet         likewise

NAME is each of cross_datasets; metrics/baseline.json names the rival.

    python -m stages.cross_dataset_baseline
"""

import json
from pathlib import Path

from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.model.reproducible import fix_bits
from sentiment.reviews.unseen import read_unseen

CROSS = Path("data/cross")
TRAIN = Path("data/subsampled/train.parquet")
CHOICE = Path("metrics/baseline.json")
METRICS = Path("metrics/cross_baseline")
PREDICTIONS = Path("data/predictions/cross_baseline")


def main() -> None:
    params = load_params()
    fix_bits(params)
    train = read_parquet(TRAIN, ["id", "text", "label"])
    choice = json.loads(CHOICE.read_text(encoding="utf-8"))

    from sentiment.evaluation.baseline import Labelled, refit
    from sentiment.evaluation.outputs import write_predictions
    from sentiment.metrics import as_written, evaluate

    classifier = refit(choice["rival"], choice["C"], Labelled.of(train), params)
    with replacing(METRICS) as metrics, replacing(PREDICTIONS) as predictions:
        for folder in (metrics, predictions):
            folder.mkdir()
        for name in params.cross_datasets:
            reviews, counts = read_unseen(CROSS / f"{name}.parquet", TRAIN, params.subsample.cleaning, params)
            scores = as_written(classifier.predict_proba(reviews["text"].to_pylist())[:, 1])
            figures = evaluate(reviews["label"].to_numpy(), scores)
            write_predictions(predictions / f"{name}.parquet", reviews, scores)
            write_json(metrics / f"{name}.json", figures | counts)
            print(f"{name}: accuracy {figures['accuracy']:.3f}, n {figures['n']:,}")


if __name__ == "__main__":
    run(main, "cross_dataset_baseline")
