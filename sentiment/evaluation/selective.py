"""When not to answer: how accurate the answers are that remain as the least sure ones are held back.

An answer is as sure as its label is probable. Coverage is the share of the reviews that get one, risk the share of
wrong ones among these (El-Yaniv and Wiener 2010, JMLR 11; Geifman and El-Yaniv 2017, arXiv:1705.08500).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sentiment.metrics import HALF

POINTS = 200
"""The most points of a drawn curve."""
AIMS = (0.95, 0.99)
"""Accuracies for which the coverage is told."""

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def _curve(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Curve:
    """Return coverage and accuracy of the 1, 2, ... n surest answers, float64 [reviews] each.

    Of equally sure answers none comes first: the errors among them are spread evenly.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    positive = scores >= threshold
    # Rounded, as 1 - 0.9 and 0.1 are equally sure.
    doubt = np.where(positive, 1 - scores, scores).round(9)
    _, counts = np.unique(doubt, return_counts=True)
    ends = np.cumsum(counts)
    right = np.cumsum((positive == labels)[np.argsort(doubt, kind="stable")])[ends - 1]
    answers = np.arange(1, len(scores) + 1)
    return answers / len(scores), np.interp(answers, [0, *ends], [0, *right]) / answers


def selective(labels: ArrayLike, scores: ArrayLike, threshold: float = HALF) -> dict[str, float]:
    """Return the coverage that is possible at some accuracies, and the area under the risk-coverage curve.

    `coverage_at_95` is the largest share of the reviews, surest first, of whose answers 95 % are right; 0 where there
    is none. `aurc` is the mean risk over the coverages 1/n, 2/n, ... 1 (Geifman, Uziel and El-Yaniv 2019,
    arXiv:1805.08206): lower is better, and 0 is reached only without errors.
    """
    coverage, accuracy = _curve(labels, scores, threshold)
    reached = {f"coverage_at_{round(100 * aim)}": coverage[accuracy >= aim - 1e-9].max(initial=0) for aim in AIMS}
    return {name: float(value) for name, value in reached.items()} | {"aurc": float((1 - accuracy).mean())}


def risk_coverage(labels: ArrayLike, scores: ArrayLike, threshold: float = HALF) -> list[dict[str, float]]:
    """Return the curve as accuracy, which is 1 - risk, by coverage: at most POINTS of it, the last at coverage 1."""
    coverage, accuracy = _curve(labels, scores, threshold)
    places = np.unique(np.linspace(0, len(coverage), POINTS + 1)[1:].astype(int)) - 1
    return [{"coverage": float(coverage[i]), "accuracy": float(accuracy[i])} for i in places[places >= 0]]


def sure_answers(
    labels: ArrayLike, scores: ArrayLike, unsure: NDArray[np.bool_], threshold: float = HALF
) -> dict[str, Any]:
    """Return coverage and accuracy of the answers that are not unsure [reviews]; no accuracy where there are none."""
    right = ((np.asarray(scores) >= threshold) == np.asarray(labels))[~unsure]
    return {"coverage": len(right) / len(unsure)} | ({"accuracy": float(right.mean())} if len(right) else {})
