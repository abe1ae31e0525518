"""Fit to validation reviews how a model decides: its threshold, and the zone of scores in which it is unsure."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sentiment.core.params import Evaluate
from sentiment.metrics import HALF, as_written
from sentiment.model.decision import Decision

ENOUGH = 20
"""The fewest validation reviews by which a verdict is called sure."""


def fit_decision(labels: ArrayLike, scores: ArrayLike, params: Evaluate) -> Decision:
    """Return how a model decides that gave labelled reviews, of both labels, these calibrated scores [reviews]."""
    labels, scores = np.asarray(labels), as_written(scores)
    fitted = params.threshold == "fitted"
    threshold = fit_threshold(labels, scores, params.maximize) if fitted else float(params.threshold)
    low, high = fit_zone(labels, scores, threshold, params.sure_at)
    return Decision(threshold=threshold, low=low, high=high)


def fit_threshold(labels: ArrayLike, scores: ArrayLike, maximize: str) -> float:
    """Return the threshold at which the criterion is highest; of several such the nearest to 0.5.

    Thresholds lie half way between neighbouring scores, or at 0.5. One that is fitted to few reviews is mostly chance
    (Lipton et al. 2014, arXiv:1402.1892).
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    known = np.unique(scores)
    thresholds = np.unique(np.append((known[1:] + known[:-1]) / 2, HALF).round(6))
    negatives, positives = (np.sort(scores[labels == label]) for label in (0, 1))
    tn, fn = (np.searchsorted(of, thresholds).astype(np.float64) for of in (negatives, positives))
    fp, tp = len(negatives) - tn, len(positives) - fn
    values = {
        "accuracy": (tn + tp) / len(scores),
        "balanced_accuracy": (tn / len(negatives) + tp / len(positives)) / 2,
        "f1": 2 * tp / (2 * tp + fp + fn),
        # Where no verdict is of a label the correlation is 0, by convention.
        "mcc": (tp * tn - fp * fn) / np.sqrt(np.maximum((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn), 1)),
    }[maximize]
    best = thresholds[np.isclose(values, values.max(), rtol=0, atol=1e-12)]
    return float(best[np.abs(best - HALF).argmin()])


def fit_zone(labels: ArrayLike, scores: ArrayLike, threshold: float, sure_at: float) -> tuple[float, float]:
    """Return the scores between which verdicts are right less often than `sure_at`.

    How often a review of a score is positive is estimated by isotonic regression (Zadrozny and Elkan 2002), which only
    takes for granted that it never falls as the score rises. So beyond either end every verdict, not only their
    average, keeps the promise. Where all verdicts of a label do, the zone ends at the threshold; where not even ENOUGH
    do, none is sure, and it ends at 0 or 1. Of a label with fewer verdicts than that nothing can be told: there the
    score, a calibrated probability, is taken at its word.
    """
    from sklearn.isotonic import IsotonicRegression

    labels, scores = np.asarray(labels), np.asarray(scores)
    share = IsotonicRegression().fit_transform(scores, labels)
    positive = scores >= threshold
    # A share is a quotient of counts; a promise that is kept to the last digit is kept.
    kept = np.where(positive, share, 1 - share) >= sure_at - 1e-9
    below = _doubtful(threshold - scores[~positive], kept[~positive], threshold + sure_at - 1)
    above = _doubtful(scores[positive] - threshold, kept[positive], sure_at - threshold)
    return max(0.0, round(threshold - below, 6)), min(1.0, round(threshold + above, 6))


def _doubtful(distances: NDArray[np.float64], kept: NDArray[np.bool_], word: float) -> float:
    """Return how far from the threshold verdicts of a label are unsure; `word` is what the scores themselves say."""
    if len(distances) < ENOUGH:
        return max(0.0, word)
    if kept.all():
        return 0.0
    return float(distances[kept].min()) if kept.sum() >= ENOUGH else 1.0
