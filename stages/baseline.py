"""Fit TF-IDF and a logistic regression on the same training reviews, and score them on the same test reviews.

Reads   data/subsampled/{train,test}.parquet
Writes  metrics/baseline.json                             as evaluate
        data/predictions/baseline.parquet                 id, label, score (the probability of positive)
        plots/baseline/{confusion,roc,reliability,risk_coverage}.json

    python -m stages.baseline
"""

from pathlib import Path

from sentiment.core.command import run
from sentiment.core.errors import UserError, reason
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet

SUBSAMPLED = Path("data/subsampled")
METRICS = Path("metrics/baseline.json")
PREDICTIONS = Path("data/predictions/baseline.parquet")
PLOTS = Path("plots/baseline")


def main() -> None:
    params = load_params().baseline
    train, test = (
        read_parquet(SUBSAMPLED / f"{split}.parquet", ["id", "text", "label"]) for split in ("train", "test")
    )

    from sentiment.evaluation.baseline import baseline
    from sentiment.evaluation.outputs import write_evaluation

    try:
        classifier = baseline(params).fit(train["text"].to_pylist(), train["label"].to_numpy())
    except ValueError as error:
        raise UserError(
            f"TF-IDF can't be fitted to the reviews in {SUBSAMPLED}: {reason(error)}; give reviews made of words, or "
            "run the stages that need none: dvc repro evaluate"
        ) from None
    scores = classifier.predict_proba(test["text"].to_pylist())[:, 1]
    write_evaluation(test, scores, metrics=METRICS, predictions=PREDICTIONS, plots=PLOTS)


if __name__ == "__main__":
    run(main, "baseline")
