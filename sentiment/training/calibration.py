"""Scores that mean what they say: the temperature of a model's logits, and their drift with the length of a text."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LIMITS = (0.05, 20.0)
"""Below, nearly every score would be certain; above, nearly none would differ from 0.5."""


def fit_temperature(labels: ArrayLike, logits: NDArray[np.floating]) -> float:
    """Return the temperature by which logits [reviews, 2] are divided so that their log loss is lowest.

    One number for all reviews moves no score across 0.5 (Guo et al. 2017, arXiv:1706.04599). As in Platt 1999, a label
    counts as certain to n + 1 out of n + 2, n being its number of reviews: where a model gets all of them right, the
    lowest log loss would otherwise ask for certainty without bounds.
    """
    from scipy.optimize import minimize_scalar

    labels = np.asarray(labels)
    log_odds = logits[:, 1].astype(np.float64) - logits[:, 0]
    positives = labels.sum()
    negatives = len(labels) - positives
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(sharpness: float) -> float:
        scaled = log_odds * sharpness
        return float((np.logaddexp(0, scaled) - targets * scaled).mean())

    # Convex in the temperature's inverse, so there is one minimum to find.
    low, high = LIMITS
    found = minimize_scalar(loss, bounds=(1 / high, 1 / low), method="bounded", options={"xatol": 1e-9})
    return float(1 / found.x)
