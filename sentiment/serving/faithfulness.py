"""Whether an exported model labels reviews as the original does, as far as so many test reviews can tell."""

import math
from typing import Any, NamedTuple

from scipy.stats import binomtest, norm

from sentiment.core.params import Export

CHANCE = 0.01
"""How often a model that is exactly as faithful as a limit asks may be taken for one beyond it."""


class Fault(NamedTuple):
    """A limit that the figures are beyond; `certain` where more than chance in the choice of the reviews put them so.

    Of 100 reviews one alone is a whole point: a lossless export, but for that one, would miss a limit of half a point.
    """

    sentence: str
    certain: bool


def find_fault(figures: dict[str, Any], limits: Export) -> Fault | None:
    """Return the limit that an exported model is beyond, the surest one first; None where it is within both.

    `figures` are accuracy_fp32, accuracy_int8 and agreement, all shares of n reviews.
    """
    faults = list(filter(None, [_change(figures, limits), _agreement(figures, limits)]))
    return max(faults, key=lambda fault: fault.certain, default=None)


def _change(figures: dict[str, Any], limits: Export) -> Fault | None:
    change = 100 * abs(figures["accuracy_int8"] - figures["accuracy_fp32"])
    # The figures are quotients of counts; a limit that is met to the last digit is met.
    if change <= limits.accuracy_change + 1e-9:
        return None
    gained, lost = _flips(figures)
    low, high = (100 * bound for bound in _paired_interval(max(gained, lost), min(gained, lost), figures["n"]))
    sentence = (
        f"8-bit integers change the accuracy on the {figures['n']:,} test reviews by {change:.2f} points "
        f"({1 - 2 * CHANCE:.0%} interval {low:.2f} to {high:.2f}), from {figures['accuracy_fp32']:.4f} to "
        f"{figures['accuracy_int8']:.4f}, but params.yaml allows export.accuracy_change {limits.accuracy_change}"
    )
    return Fault(sentence, low > limits.accuracy_change)


def _agreement(figures: dict[str, Any], limits: Export) -> Fault | None:
    if figures["agreement"] >= limits.agreement - 1e-9:
        return None
    n, flipped = figures["n"], sum(_flips(figures))
    chance = float(binomtest(flipped, n, 1 - limits.agreement, alternative="greater").pvalue)
    sentence = (
        f"8-bit integers agree with the original on {figures['agreement']:.2%} of the {n:,} test reviews, but "
        f"params.yaml asks for export.agreement {limits.agreement}, which leaves so many flipped reviews or more a "
        f"chance of {chance:.2g}"
    )
    return Fault(sentence, chance < CHANCE)


def _flips(figures: dict[str, Any]) -> tuple[int, int]:
    """Return how many reviews only the exported model labels rightly, and how many only the original does."""
    n = figures["n"]
    flipped = round(n * (1 - figures["agreement"]))
    difference = round(n * (figures["accuracy_int8"] - figures["accuracy_fp32"]))
    return (flipped + difference) // 2, (flipped - difference) // 2


def _paired_interval(more: int, fewer: int, n: int) -> tuple[float, float]:
    """Return the interval of (more - fewer) / n, missed by CHANCE on each side (Agresti and Min 2005).

    Both count reviews that only one of two models labels rightly. Half a review more in each of the four cells keeps
    the plain interval from being too narrow where few reviews flip.
    """
    flipped, difference, n = more + fewer + 1, more - fewer, n + 2
    spread = float(norm.ppf(1 - CHANCE)) * math.sqrt(flipped - difference**2 / n)
    return (difference - spread) / n, (difference + spread) / n
