"""Where a model fails: its accuracy on slices of the reviews, and its most confident errors."""

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sentiment.core.labels import LABELS
from sentiment.evaluation.quoting import escape_markdown, quote
from sentiment.metrics import HALF, proportion

BANDS = {"1-20": 20, "21-50": 50, "51-100": 100, "101-200": 200, "over 200": np.inf}
"""The most words in each band of lengths."""

WORDS = {
    "negation": re.compile(
        r"\b(no|not|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|hardly|barely|\w+n['\u2019]t)\b",
        re.IGNORECASE,
    ),
    "contrast word": re.compile(
        r"\b(but|however|although|though|yet|despite|whereas|nevertheless|nonetheless)\b", re.IGNORECASE
    ),
    "word in capitals": re.compile(r"\b[A-Z]{4,}\b"),
}
"""What to look for in the texts. Capitals: four or more, as most shorter words in capitals are abbreviations."""

ERRORS = 50


def members(text: pd.Series, truncated: NDArray[np.bool_]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Say for every property and each of its values which reviews have it; each review has one value of a property."""
    words = np.array([len(review.split()) for review in text])
    band = np.searchsorted(list(BANDS.values()), words)
    present = {name: np.array([bool(pattern.search(review)) for review in text]) for name, pattern in WORDS.items()}
    return {
        "words": {name: band == i for i, name in enumerate(BANDS)},
        **{name: {"with": found, "without": ~found} for name, found in present.items()},
        "truncated": {"yes": truncated, "no": ~truncated},
    }


def slices(text: pd.Series, correct: NDArray[np.bool_], truncated: NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
    """Return accuracy, its 95 % interval and n of each slice, by "property: value"; empty slices are left out.

    `correct` says of each text whether its prediction is right, `truncated` whether the model read only a part of it.
    """
    return {
        f"{name}: {value}": proportion("accuracy", int(correct[rows].sum()), n) | {"n": n}
        for name, values in members(text, truncated).items()
        for value, rows in values.items()
        if (n := int(rows.sum()))
    }


def errors(reviews: pd.DataFrame, threshold: float = HALF) -> str:
    """Return a Markdown list of the ERRORS most confident errors among the reviews (id, text, label, score)."""
    positive = reviews.score >= threshold
    reviews = reviews.assign(certainty=np.where(positive, reviews.score, 1 - reviews.score))
    wrong = reviews[positive != reviews.label]
    listed = wrong.sort_values(["certainty", "id"], ascending=[False, True]).head(ERRORS)
    lines = [
        f"- **{LABELS[1 - row['label']]}, {row['certainty']:.3f}** but labelled {LABELS[row['label']]} ({row['id']}): "
        f"{escape_markdown(quote(row['text']))}"
        for row in listed.to_dict("records")
    ]
    title = f"# The most confident errors\n\n{len(wrong):,} of {len(reviews):,} reviews were labelled wrongly"
    return "\n".join([f"{title}; listed are {len(listed)}, the surest first.", "", *lines, ""])
