"""How good predicted scores are. A score is the probability of positive; from a threshold on it predicts positive."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sentiment.core.labels import LABELS

BINS = 10
HALF = 0.5
"""From here on positive is the likelier label, whatever threshold a model has."""
ROC_POINTS = 200


def scores_of(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probability of positive, float64 [reviews], from logits [reviews, 2]."""
    difference = logits[:, 1].astype(np.float64) - logits[:, 0]
    return np.exp(-np.logaddexp(0, -difference))


def as_written(scores: ArrayLike) -> NDArray[np.float64]:
    """Round scores to the six digits that every output keeps, so that metrics are those of the scores as written.

    A score of 0 or 1 would claim a certainty that no model has, and cost an unbounded log loss where it errs.
    """
    return np.clip(np.asarray(scores, dtype=np.float64), 1e-6, 1 - 1e-6).round(6)


def wilson(successes: float, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion, 95 % unless z says otherwise (Wilson 1927).

    Successes need not be a whole number: they may be the mean of several trainings.
    """
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def proportion(name: str, successes: float, trials: int) -> dict[str, float]:
    """Return a proportion under its name, and its Wilson interval under NAME_low and NAME_high."""
    low, high = wilson(successes, trials)
    return {name: successes / trials, f"{name}_low": low, f"{name}_high": high}


def points(kind: str, rows: Mapping[str, Mapping[str, Any]], figure: str = "accuracy") -> list[dict[str, Any]]:
    """Return the points of a plot: of each row its name, as the `kind` of thing it is, a `proportion` of it, and n."""
    return [
        {kind: name, figure: row[figure], "low": row[f"{figure}_low"], "high": row[f"{figure}_high"], "n": row["n"]}
        for name, row in rows.items()
    ]


def reliability(labels: ArrayLike, scores: ArrayLike) -> list[dict[str, Any]]:
    """Compare confidence with accuracy in BINS equal bins of the likelier label's confidence, 0.5 to 1.

    Each filled bin has its `count`, mean `confidence` and `accuracy` (Guo et al. 2017, arXiv:1706.04599). No threshold
    matters to how well the scores are calibrated.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    confidence = np.maximum(scores, 1 - scores)
    correct = (scores >= HALF) == labels
    places = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    return [
        {
            "count": int((places == place).sum()),
            "confidence": float(confidence[places == place].mean()),
            "accuracy": float(correct[places == place].mean()),
        }
        for place in np.unique(places)
    ]


def evaluate(labels: ArrayLike, scores: ArrayLike, threshold: float = HALF) -> dict[str, Any]:
    """Return how good the scores are: accuracy with its 95 % interval, precision, recall and F1 of positive, and more.

    `labels` are 0 or 1, both present; `scores` lie between 0 and 1 and predict positive from the threshold on. `mcc` is
    Matthews' correlation of labels and predictions (Matthews 1975), `average_precision` the area under the
    precision-recall curve as a sum of steps. `ece` is the expected calibration error over the bins of `reliability`:
    the mean gap between confidence and accuracy, weighted by the bins' counts.
    """
    from sklearn.metrics import (
        average_precision_score,
        balanced_accuracy_score,
        brier_score_loss,
        log_loss,
        matthews_corrcoef,
        precision_recall_fscore_support,
        roc_auc_score,
    )

    labels, scores = np.asarray(labels), np.asarray(scores)
    predicted = (scores >= threshold).astype(int)
    hits = int((predicted == labels).sum())
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted, average="binary", zero_division=0.0)
    gaps = [part["count"] * abs(part["confidence"] - part["accuracy"]) for part in reliability(labels, scores)]
    return {
        **proportion("accuracy", hits, len(labels)),
        "balanced_accuracy": float(balanced_accuracy_score(labels, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "mcc": float(matthews_corrcoef(labels, predicted)),
        "roc_auc": float(roc_auc_score(labels, scores)),
        "average_precision": float(average_precision_score(labels, scores)),
        "log_loss": float(log_loss(labels, scores)),
        "brier": float(brier_score_loss(labels, scores)),
        "ece": sum(gaps) / len(labels),
        "n": len(labels),
        "positives": int(labels.sum()),
    }


def confusion(labels: ArrayLike, scores: ArrayLike, threshold: float = HALF) -> list[dict[str, Any]]:
    """Count the reviews of each actual and predicted label."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(labels, np.asarray(scores) >= threshold, labels=[0, 1])
    return [
        {"actual": LABELS[actual], "predicted": LABELS[predicted], "count": int(counts[actual, predicted])}
        for actual in LABELS
        for predicted in LABELS
    ]


def roc(labels: ArrayLike, scores: ArrayLike) -> list[dict[str, Any]]:
    """Return the ROC curve as false and true positive rates, at most ROC_POINTS of them."""
    from sklearn.metrics import roc_curve

    false_positives, true_positives, _ = roc_curve(labels, scores)
    places = np.unique(np.linspace(0, len(false_positives) - 1, ROC_POINTS).round().astype(int))
    return [
        {"false_positive_rate": float(false_positives[i]), "true_positive_rate": float(true_positives[i])}
        for i in places
    ]
