"""Behavioural checks in the manner of CheckList (Ribeiro et al. 2020, arXiv:2005.04118).

A file holds templates of reviews and the words that fill their slots. Each check is of one of the paper's kinds:

MFT  minimum functionality test: the reviews have a known label, and another verdict is a failure
INV  invariance test: the review is changed in a way that doesn't matter, and another verdict is a failure
DIR  directional expectation test: the change speaks for one label, and a score that moves away from it by more than
     TOLERANCE is a failure
"""

import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import product
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sentiment.core.errors import UserError
from sentiment.core.labels import LABELS
from sentiment.core.schemas import Name, Strict, read_yaml, validate
from sentiment.metrics import HALF, as_written, proportion

CASES = 30
"""At most this many are drawn for a check, equally many from each of its templates."""

TOLERANCE = 0.1
"""How far a score may move the wrong way, as in the paper."""

LABEL_OF = {name: label for label, name in LABELS.items()}
LONG_WORD = re.compile(r"[^\W\d_]{4,}")


def _in_longest_word(text: str, change: Callable[[str], str]) -> str:
    """Change the first of the longest words; short words stay, as a typo may turn them into others."""
    word = max(LONG_WORD.finditer(text), key=lambda match: len(match[0]), default=None)
    return text if word is None else text[: word.start()] + change(word[0]) + text[word.end() :]


def _swap(word: str) -> str:
    """Swap the first two unequal neighbours from the middle of the word on."""
    start = len(word) // 2 - 1
    place = next((i for i in range(start, len(word) - 1) if word[i] != word[i + 1]), start)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


REWRITES: dict[str, Callable[[str], str]] = {
    "letters swapped": lambda text: _in_longest_word(text, _swap),
    "letter lost": lambda text: _in_longest_word(
        text, lambda word: word[: len(word) // 2] + word[len(word) // 2 + 1 :]
    ),
    "capitals": str.upper,
    "no punctuation": lambda text: re.sub(r"[^\w\s']", "", text).lower(),
}


class Check(Strict):
    """Reviews with their label (MFT), or pairs of a review and the same one changed (INV, DIR)."""

    capability: Name
    kind: Literal["MFT", "INV", "DIR"]
    name: Name
    label: Literal["negative", "positive"] | None = None
    reviews: list[Name] = Field(default=[])
    pairs: list[Annotated[list[Name], Field(min_length=2, max_length=2)]] = Field(default=[])
    rewrite: Literal["letters swapped", "letter lost", "capitals", "no punctuation"] | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        given = {name for name in ("label", "reviews", "pairs", "rewrite") if getattr(self, name)}
        legal = {
            "MFT": [{"label", "reviews"}],
            "INV": [{"pairs"}, {"reviews", "rewrite"}],
            "DIR": [{"label", "pairs"}],
        }[self.kind]
        if given not in legal:
            raise ValueError(f"{' or '.join(' and '.join(sorted(names)) for names in legal)} as it is {self.kind}")
        return self

    @property
    def templates(self) -> list[list[str]]:
        return self.pairs or [[review] for review in self.reviews]


class Behaviour(Strict):
    """A file of checks and the words for their slots."""

    words: dict[str, list[Name]]
    checks: list[Check]


def load_behaviour(path: Path | str) -> Behaviour:
    """Read the checks; raise UserError naming what is wrong, such as a slot without words."""
    behaviour = validate(Behaviour, read_yaml(path), path)
    for check in behaviour.checks:
        for template in check.templates:
            for slot in _slots(template):
                if slot not in behaviour.words:
                    raise UserError(f"{path}: {template[-1]!r} has the slot {slot}, for which there are no words")
    return behaviour


def _slots(template: list[str]) -> list[str]:
    return sorted({slot for text in template for _, slot, _, _ in Formatter().parse(text) if slot is not None})


def fill(template: list[str], words: dict[str, list[str]], size: int) -> list[list[str]]:
    """Fill the slots of a review, or of both reviews of a pair alike, in `size` ways, or in all if there are fewer.

    A case's place in the queue is a hash of its text, so that other words and templates don't move it.
    """
    slots = _slots(template)
    choices = product(*(words[slot] for slot in slots))
    cases = [[text.format_map(dict(zip(slots, choice, strict=True))) for text in template] for choice in choices]
    return sorted(cases, key=lambda case: blake2b("\n".join(case).encode(), digest_size=8).digest())[:size]


def cases(behaviour: Behaviour) -> Iterator[dict[str, Any]]:
    """Yield every check's cases: capability, kind, check, label (or None), review, changed (or None)."""
    for check in behaviour.checks:
        for template in check.templates:
            for review, *pair in fill(template, behaviour.words, CASES // len(check.templates)):
                changed = [REWRITES[check.rewrite](review)] if check.rewrite else pair
                yield {
                    "capability": check.capability,
                    "kind": check.kind,
                    "check": check.name,
                    "label": LABEL_OF[check.label] if check.label else None,
                    "review": review,
                    "changed": changed[0] if changed else None,
                }


def score_cases(
    behaviour: Behaviour, score: Callable[[list[str]], NDArray[np.floating]], threshold: float = HALF
) -> pd.DataFrame:
    """Score every case; return the columns of `cases` and score, changed_score (NaN for MFT), failed.

    `score` returns the probability of positive for each of a list of texts; from the threshold on that is the verdict.
    """
    table = pd.DataFrame(cases(behaviour)).astype({"label": "Int8"})
    texts = pd.concat([table.review, table.changed]).dropna().unique().tolist()
    scores = dict(zip(texts, as_written(score(texts)), strict=True))
    table["score"] = table.review.map(scores)
    table["changed_score"] = table.changed.map(scores)
    positive = table.label.eq(1).fillna(value=False).to_numpy(bool)
    towards_label = (table.changed_score - table.score) * np.where(positive, 1, -1)
    failures = {
        "MFT": (table.score >= threshold) != positive,
        "INV": (table.score >= threshold) != (table.changed_score >= threshold),
        "DIR": towards_label < -TOLERANCE,
    }
    table["failed"] = np.select([table.kind == kind for kind in failures], list(failures.values())).astype(bool)
    return table


Rates = dict[str, dict[str, Any]]


def failure_rates(scored: pd.DataFrame) -> tuple[Rates, Rates]:
    """Return failure rate, 95 % interval and n of every capability, and of every check by "capability: kind name"."""
    capabilities = {str(name): _rate(failed) for name, failed in scored.groupby("capability").failed}
    checks = {
        f"{capability}: {kind} {name}": _rate(failed)
        for (capability, kind, name), failed in scored.groupby(["capability", "kind", "check"]).failed
    }
    return capabilities, checks


def _rate(failed: "pd.Series[bool]") -> dict[str, Any]:
    return proportion("failure_rate", int(failed.sum()), len(failed)) | {"n": len(failed)}
