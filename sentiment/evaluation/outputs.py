"""What evaluations write: metrics, predictions, and the data of plots."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.core.files import write_json
from sentiment.core.parquet import write_parquet
from sentiment.evaluation.selective import risk_coverage, selective, sure_answers
from sentiment.metrics import HALF, as_written, confusion, evaluate, reliability, roc

CALIBRATION = ("ece", "brier", "log_loss")
"""The metrics that a temperature changes."""


def write_evaluation(
    reviews: pa.Table,
    scores: NDArray[np.floating],
    *,
    metrics: Path,
    predictions: Path,
    plots: Path,
    threshold: float = HALF,
    uncalibrated: NDArray[np.floating] | None = None,
    unsure: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
    described: Mapping[str, Any] | None = None,
) -> NDArray[np.float64]:
    """Evaluate the scores of reviews (id, label), and write what people, `dvc metrics` and `dvc plots` read.

    `predictions` gets id, label and score, the probability of positive, which is said from the threshold on; `plots`
    gets confusion.json, roc.json, reliability.json and risk_coverage.json. If `uncalibrated` scores are given, the
    metrics say how well calibrated those were; if `unsure` says of which scores a model is, what its other answers are
    worth. They keep what the classifier is `described` as. Returns the scores as written.
    """
    labels = reviews["label"].to_numpy()
    scores = as_written(scores)
    figures = evaluate(labels, scores, threshold) | selective(labels, scores, threshold)
    if uncalibrated is not None:
        before = evaluate(labels, as_written(uncalibrated))
        figures["uncalibrated"] = {name: before[name] for name in CALIBRATION}
    if unsure is not None:
        figures["sure"] = sure_answers(labels, scores, unsure(scores), threshold)
    drawn = {
        "confusion": confusion(labels, scores, threshold),
        "roc": roc(labels, scores),
        "reliability": reliability(labels, scores),
        "risk_coverage": risk_coverage(labels, scores, threshold),
    }

    write_predictions(predictions, reviews, scores)
    for name, points in drawn.items():
        write_json(plots / f"{name}.json", points)
    write_json(metrics, {**(described or {}), **figures})
    print(summary(figures))
    return scores


def write_predictions(path: Path, reviews: pa.Table, scores: NDArray[np.float64]) -> None:
    """Write the reviews' id, label and score, the probability of positive."""
    write_parquet(path, reviews.select(["id", "label"]).append_column("score", pa.array(scores)))


def summary(figures: dict[str, Any]) -> str:
    """Return the figures of an evaluation that people look at first, in one line."""
    return (
        f"accuracy {figures['accuracy']:.3f} ({figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f}), "
        f"F1 {figures['f1']:.3f}, ROC-AUC {figures['roc_auc']:.3f}, ECE {figures['ece']:.3f}, n {figures['n']:,}"
    )
