"""What every evaluation writes: metrics, predictions, and the data of three plots."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.files import write_json
from sentiment.metrics import confusion, evaluate, reliability, roc
from sentiment.reviews import write_parquet


def write_evaluation(
    reviews: pa.Table, scores: NDArray[np.floating], *, metrics: Path, predictions: Path, plots: Path
) -> dict[str, Any]:
    """Score the reviews (id, label) and write what people and `dvc metrics` and `dvc plots` read; return the metrics.

    `predictions` gets id, label and score, the probability of positive; `plots` gets confusion.json, roc.json and
    reliability.json.
    """
    labels = reviews["label"].to_numpy()
    # Six digits are kept, as in every other output; the metrics are those of the scores as written.
    scores = np.asarray(scores, dtype=np.float64).round(6)
    write_parquet(predictions, reviews.select(["id", "label"]).append_column("score", pa.array(scores)))
    write_json(plots / "confusion.json", confusion(labels, scores))
    write_json(plots / "roc.json", roc(labels, scores))
    write_json(plots / "reliability.json", reliability(labels, scores))
    figures = evaluate(labels, scores)
    write_json(metrics, figures)
    print(
        f"accuracy {figures['accuracy']:.3f} ({figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f}), "
        f"F1 {figures['f1']:.3f}, ROC-AUC {figures['roc_auc']:.3f}, ECE {figures['ece']:.3f}, n {figures['n']:,}"
    )
    return figures
