"""The labels of reviews, 0 (negative) and 1 (positive), and the names that sources give them."""

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from sentiment.core.errors import abridge

LABELS = {0: "negative", 1: "positive"}


def label_name(label: Any) -> Any:
    """Return the one spelling of a label, whether it comes from YAML, a table or a text file: 1.0 is 1, Pos is pos."""
    if not isinstance(label, str | int | float):
        return label
    name = str(label).strip().casefold()
    return str(int(float(name))) if re.fullmatch(r"[+-]?\d{1,15}(\.0*)?", name, re.ASCII) else name


def _each_label_once(labels: Any) -> Any:
    names = [label_name(label) for label in labels] if isinstance(labels, dict) else []
    if len(set(names)) < len(names):
        raise ValueError(f"each label once, not {', '.join(map(str, labels))}")
    return labels


def _both_meanings(labels: dict[str, Any]) -> dict[str, Any]:
    if not {0, 1} <= set(labels.values()):
        raise ValueError("a label that means 0 (negative) and one that means 1 (positive)")
    return labels


Labels = Annotated[
    dict[Annotated[str, BeforeValidator(label_name)], Literal[0, 1, "drop"]],
    BeforeValidator(_each_label_once),
    AfterValidator(_both_meanings),
]
"""What a source's labels mean, by `label_name`, '' being the empty one; drop leaves the row out."""


PLAIN: Labels = {"0": 0, "1": 1, "false": 0, "true": 1, "neg": 0, "pos": 1, "negative": 0, "positive": 1}
"""Labels that can't be misread."""
KNOWN: dict[str, Literal[0, 1, "drop"]] = {**PLAIN, "": "drop", "neutral": "drop"}
"""What words are taken to mean in a rule that is proposed."""


def propose(names: Sequence[str]) -> str:
    """Return a rule for labels as YAML, for people to correct: numbers as grades, words where they are known.

    The lower half of the numbers is negative, the upper half positive, what is in the middle neither: right for stars.
    The meaning of any other word is left blank.
    """
    numbers = sorted(filter(_is_number, names), key=float)
    half = len(numbers) / 2
    grades = {name: 0 if i + 1 <= half else 1 if i >= half else "drop" for i, name in enumerate(numbers)}
    meanings = KNOWN | (grades if len(numbers) > 1 else {})
    # DVC can't sort numbers among words.
    mixed = 0 < len(numbers) < len(names)
    return "{" + ", ".join(f"{_as_key(name, quoted=mixed)}: {meanings.get(name, '')}" for name in names) + "}"


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def _as_key(name: str, *, quoted: bool) -> str:
    if _is_number(name):
        return f'"{name}"' if quoted else name
    return abridge(name) if re.fullmatch(r"\w[\w .+-]*", name) else "'" + name[:40].replace("'", "''") + "'"
