"""Fit TF-IDF and a logistic regression on the training reviews and score them on the further datasets.

Reads   data/cross/NAME.parquet, data/subsampled/train.parquet
Writes  metrics/cross_baseline/NAME.json    as cross_dataset_evaluate, of the same reviews

NAME is each of cross_datasets.

    python -m stages.cross_dataset_baseline
"""

from pathlib import Path

from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.reviews.unseen import read_unseen

CROSS = Path("data/cross")
TRAIN = Path("data/subsampled/train.parquet")
METRICS = Path("metrics/cross_baseline")


def main() -> None:
    params = load_params()
    train = read_parquet(TRAIN, ["text", "label"])

    from sentiment.evaluation.baseline import baseline
    from sentiment.metrics import as_written, evaluate

    classifier = baseline(params.baseline).fit(train["text"].to_pylist(), train["label"].to_numpy())
    with replacing(METRICS) as folder:
        folder.mkdir()
        for name in params.cross_datasets:
            reviews, counts = read_unseen(CROSS / f"{name}.parquet", TRAIN, params.subsample.cleaning, params)
            scores = as_written(classifier.predict_proba(reviews["text"].to_pylist())[:, 1])
            figures = evaluate(reviews["label"].to_numpy(), scores)
            write_json(folder / f"{name}.json", figures | counts)
            print(f"{name}: accuracy {figures['accuracy']:.3f}, n {figures['n']:,}")


if __name__ == "__main__":
    run(main, "cross_dataset_baseline")
