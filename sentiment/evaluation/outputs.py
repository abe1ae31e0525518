"""What evaluations write: metrics, predictions, and the data of plots."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.core.files import write_json
from sentiment.core.parquet import write_parquet
from sentiment.metrics import as_written, confusion, evaluate, reliability, roc

CALIBRATION = ("ece", "brier", "log_loss")
"""The metrics that a temperature changes."""


def write_evaluation(
    reviews: pa.Table,
    scores: NDArray[np.floating],
    *,
    metrics: Path,
    predictions: Path,
    plots: Path,
    uncalibrated: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Evaluate the scores of reviews (id, label), and write what people, `dvc metrics` and `dvc plots` read.

    `predictions` gets id, label and score, the probability of positive; `plots` gets confusion.json, roc.json and
    reliability.json. If `uncalibrated` scores are given, the metrics say how well calibrated those were. Returns the
    scores as written.
    """
    labels = reviews["label"].to_numpy()
    scores = as_written(scores)
    figures = evaluate(labels, scores)
    if uncalibrated is not None:
        before = evaluate(labels, as_written(uncalibrated))
        figures["uncalibrated"] = {name: before[name] for name in CALIBRATION}
    curves = {"confusion": confusion, "roc": roc, "reliability": reliability}
    drawn = {name: curve(labels, scores) for name, curve in curves.items()}

    write_predictions(predictions, reviews, scores)
    for name, points in drawn.items():
        write_json(plots / f"{name}.json", points)
    write_json(metrics, figures)
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
