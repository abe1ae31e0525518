"""Whether one of two runs is better: both scored the same reviews, so their differences are paired."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sentiment.core.errors import UserError
from sentiment.core.labels import LABELS
from sentiment.metrics import HALF, proportion

RESAMPLES = 10_000
SEED = 0
Thresholds = tuple[float, float]
"""From which scores on run A, and run B, says positive."""


def pair(a: pd.DataFrame, b: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Join two runs' predictions (id, label, score) of a dataset: id, label, score_a, score_b.

    Raises UserError unless both are of the same reviews with the same labels: otherwise a difference between the runs
    could be one between the reviews.
    """
    only_a, only_b = (int((~one.id.isin(other.id)).sum()) for one, other in ((a, b), (b, a)))
    if only_a or only_b:
        raise UserError(
            f"{dataset}: A and B were not scored on the same reviews: {only_a:,} are only in A, {only_b:,} only in B; "
            "give both the same data, sizes and cleaning"
        )
    pairs = a.merge(b, on="id", suffixes=("_a", "_b"), validate="one_to_one")
    relabelled = int((pairs.label_a != pairs.label_b).sum())
    if relabelled:
        raise UserError(
            f"{dataset}: {relabelled:,} reviews have one label in A and the other in B: give both the same data"
        )
    return pairs.rename(columns={"label_a": "label"})[["id", "label", "score_a", "score_b"]]


def compare(pairs: pd.DataFrame, thresholds: Thresholds = (HALF, HALF)) -> dict[str, Any]:
    """Return both accuracies and their difference, B's less A's, with 95 % intervals, and McNemar's exact p.

    The accuracies have Wilson intervals, the difference the percentile interval of a paired bootstrap (Efron and
    Tibshirani 1993, chapter 13): a review is drawn together with both runs' verdicts on it. McNemar's test asks whether
    a coin could as well have split the reviews that only one run gets right.
    """
    from scipy.stats import binomtest

    right_a, right_b = _right(pairs, thresholds)
    n = len(pairs)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    both = int((right_a & right_b).sum())
    discordant = only_a + only_b
    return {
        "n": n,
        "a": proportion("accuracy", both + only_a, n),
        "b": proportion("accuracy", both + only_b, n),
        **mean_difference([pairs], thresholds),
        "only_a_right": only_a,
        "only_b_right": only_b,
        "mcnemar_p": float(binomtest(min(only_a, only_b), discordant).pvalue) if discordant else 1.0,
    }


def mean_difference(datasets: Sequence[pd.DataFrame], thresholds: Thresholds = (HALF, HALF)) -> dict[str, float]:
    """Return the mean over datasets of B's accuracy less A's, with its 95 % interval by a paired bootstrap.

    The reviews of each dataset are drawn anew; the datasets stay the same.
    """
    random = np.random.default_rng(SEED)
    differences, drawn = [], []
    for pairs in datasets:
        right_a, right_b = _right(pairs, thresholds)
        n = len(pairs)
        only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
        differences.append((only_b - only_a) / n)
        # Only the numbers of these kinds matter to the mean, and drawing them is drawing the reviews.
        kinds = random.multinomial(n, np.array([only_a, only_b, n - only_a - only_b]) / n, RESAMPLES)
        drawn.append((kinds[:, 1] - kinds[:, 0]) / n)
    low, high = np.percentile(np.mean(drawn, axis=0), [2.5, 97.5])
    return {
        "difference": float(np.mean(differences)),
        "difference_low": float(low),
        "difference_high": float(high),
    }


def flips(
    pairs: pd.DataFrame, texts: dict[str, str], size: int, thresholds: Thresholds = (HALF, HALF)
) -> dict[str, list[dict[str, Any]]]:
    """Return the reviews that only A, and those that only B, gets right: at most `size` each, the surest first.

    The surest are those on which both runs together are most certain of their opposite verdicts.
    """
    right_a, right_b = _right(pairs, thresholds)
    surest = pairs.assign(distance=(pairs.score_a - pairs.score_b).abs())
    surest = surest.sort_values(["distance", "id"], ascending=[False, True])
    return {
        name: [
            {
                "id": row["id"],
                "label": LABELS[row["label"]],
                "score_a": row["score_a"],
                "score_b": row["score_b"],
                "text": texts[row["id"]],
            }
            for row in surest[chosen.reindex(surest.index)].head(size).to_dict("records")
        ]
        for name, chosen in (("only_a_right", right_a & ~right_b), ("only_b_right", right_b & ~right_a))
    }


def _right(pairs: pd.DataFrame, thresholds: Thresholds) -> tuple["pd.Series[bool]", "pd.Series[bool]"]:
    """Say which reviews A and which B gets right."""
    a, b = thresholds
    return (pairs.score_a >= a) == pairs.label, (pairs.score_b >= b) == pairs.label


def changed_parameters(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the parameters whose values differ, by dotted key; None where a run lacks one."""
    ours, theirs = flatten(a), flatten(b)
    return {key: (ours.get(key), theirs.get(key)) for key in sorted(ours | theirs) if ours.get(key) != theirs.get(key)}


def flatten(params: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested parameters by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in params.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
