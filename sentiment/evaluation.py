"""What every evaluation writes: metrics, predictions, and the data of three plots."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.files import write_json
from sentiment.metrics import confusion, evaluate, reliability, roc
from sentiment.reviews import write_parquet


def write_evaluation(
    reviews: pa.Table,
    scores: NDArray[np.floating],
    counts: dict[str, int] | None = None,
    *,
    metrics: Path,
    predictions: Path,
    plots: Path,
) -> None:
    """Score the reviews (id, label) and write what people, `dvc metrics` and `dvc plots` read.

    `predictions` gets id, label and score, the probability of positive; `plots` gets confusion.json, roc.json and
    reliability.json. `counts`, of what was left out, stand beside the figures.
    """
    labels = reviews["label"].to_numpy()
    # Six digits are kept, as in every output, and the metrics are those of the scores as written. A score of 0 or 1
    # would claim a certainty that no model has, and cost an unbounded log loss where it errs.
    scores = np.clip(np.asarray(scores, dtype=np.float64), 1e-6, 1 - 1e-6).round(6)
    figures = evaluate(labels, scores)
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
