"""What every evaluation writes: metrics, predictions, and the data of three plots."""

from pathlib import Path

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
    counts: dict[str, int] | None = None,
) -> NDArray[np.float64]:
    """Evaluate the scores of reviews (id, label), and write what people, `dvc metrics` and `dvc plots` read.

    `predictions` gets id, label and score, the probability of positive; `plots` gets confusion.json, roc.json and
    reliability.json. If `uncalibrated` scores are given, the metrics say how well calibrated those were. `counts`, of
    what was left out, are added to the metrics. Returns the scores as written.
    """
    labels = reviews["label"].to_numpy()
    scores = as_written(scores)
    figures = evaluate(labels, scores)
    if uncalibrated is not None:
        before = evaluate(labels, as_written(uncalibrated))
        figures["uncalibrated"] = {name: before[name] for name in CALIBRATION}
    curves = {"confusion": confusion, "roc": roc, "reliability": reliability}
    drawn = {name: curve(labels, scores) for name, curve in curves.items()}

    write_parquet(predictions, reviews.select(["id", "label"]).append_column("score", pa.array(scores)))
    for name, points in drawn.items():
        write_json(plots / f"{name}.json", points)
    write_json(metrics, figures | (counts or {}))
    print(
        f"accuracy {figures['accuracy']:.3f} ({figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f}), "
        f"F1 {figures['f1']:.3f}, ROC-AUC {figures['roc_auc']:.3f}, ECE {figures['ece']:.3f}, n {figures['n']:,}"
    )
    return scores
