"""Train where one label is rare, with and without weights of the classes, and decide at 0.5 and at a fitted threshold.

Reads   the pipeline as committed, data/sample_reviews.parquet, data/real/reviews/twitter-us-airline.parquet
Writes  benchmarks/unequal_classes.json    per dataset and change: the fitted threshold, and the metrics of the test
                                           reviews at 0.5 and at the threshold

    python -m benchmarks.unequal_classes

Of the project's own reviews all negative ones are taken, and of the positive ones a nineteenth of as many. What is in
unequal_classes.json already is not run again; delete it to start anew.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from benchmarks.real_data import reviews
from benchmarks.trials import Clone, temporary_clone
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.parquet import read_parquet, write_parquet
from sentiment.metrics import HALF, evaluate
from sentiment.model.decision import load_decision

RESULTS = Path("benchmarks/unequal_classes.json")
OWN = Path("data/sample_reviews.parquet")
AIRLINE = "twitter-us-airline"
BASE: dict[str, Any] = {
    "cross_datasets": [],
    "subsample.train_size": 2000,
    "subsample.validation_share": 0.25,
    "train.epochs": 1,
    "evaluate.threshold": "fitted",
    "evaluate.maximize": "balanced_accuracy",
}
CHANGES: dict[str, dict[str, Any]] = {
    "as they are": {},
    "balanced": {"train.class_weights": "balanced"},
    "balanced, bias as learnt": {"train.class_weights": "balanced", "train.correct_bias": "none"},
}
KEPT = ("accuracy", "balanced_accuracy", "f1", "mcc", "average_precision", "ece", "n", "positives")


def rare_positives(reviews: pa.Table) -> pa.Table:
    """Return the negative reviews (text, label) and as many of the positive ones, drawn, as make 5 % of all."""
    negative = reviews.filter(pc.equal(reviews["label"], 0))
    positive = reviews.filter(pc.equal(reviews["label"], 1))
    drawn = np.random.default_rng(0).permutation(positive.num_rows)[: negative.num_rows // 19]
    return pa.concat_tables([negative, positive.take(drawn)])


def measure(clone: Clone) -> dict[str, Any]:
    """Train and evaluate as the clone's parameters say; return the metrics by what decides."""
    clone.reproduce("evaluate")
    predictions = read_parquet(clone.folder / "data/predictions/test.parquet", ["label", "score"])
    labels, scores = (predictions[column].to_numpy() for column in ("label", "score"))
    threshold = load_decision(clone.folder / "models/sentiment").threshold
    figures = {name: evaluate(labels, scores, at) for name, at in (("half", HALF), ("fitted", threshold))}
    return {"threshold": threshold} | {name: {key: metrics[key] for key in KEPT} for name, metrics in figures.items()}


def main() -> None:
    datasets = {
        "airline": read_parquet(reviews(AIRLINE), ["text", "label"]),
        "reviews_5": rare_positives(read_parquet(OWN, ["text", "label"])),
    }
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    due = [(name, change) for name in datasets for change in CHANGES if change not in results.get(name, {})]
    with temporary_clone() as clone:
        for name, table in datasets.items():
            write_parquet(clone.folder / f"own/{name}.parquet", table)
        for name, change in tqdm(due, desc="unequal classes"):
            clone.set(BASE | CHANGES[change] | {"dataset": f"{name}.parquet"})
            results.setdefault(name, {})[change] = measure(clone)
            write_json(RESULTS, results)


if __name__ == "__main__":
    run(main, "unequal_classes")
