"""How many tokens texts have, from how often each number occurs: little to hold for any number of texts."""

import math
from collections import Counter
from typing import Any

import numpy as np


def statistics(tokens: Counter[int], unknown: int, max_length: int) -> dict[str, Any]:
    """Summarize texts by their numbers of tokens before truncation, special ones included, and how many are unknown."""
    total = sum(count * texts for count, texts in tokens.items())
    return {
        "tokens": total,
        "tokens_p50": percentile(tokens, 50),
        "tokens_p95": percentile(tokens, 95),
        "tokens_max": max(tokens),
        "truncated_share": sum(texts for count, texts in tokens.items() if count > max_length) / tokens.total(),
        "unknown_share": unknown / total,
    }


def percentile(values: Counter[int], percent: float) -> float:
    """Return what `np.percentile` does of all the values, interpolated between the two that are closest."""
    ordered = np.array(sorted(values))
    ends = np.cumsum([values[value] for value in ordered.tolist()])
    rank = percent / 100 * (values.total() - 1)
    below, above = ordered[np.searchsorted(ends, [math.floor(rank), math.ceil(rank)], side="right")]
    return float(below + (above - below) * (rank - math.floor(rank)))
