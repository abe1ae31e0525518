"""The labels of reviews, 0 (negative) and 1 (positive), and the names that sources give them."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from sentiment.core.schemas import Name

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
    dict[Annotated[Name, BeforeValidator(label_name)], Literal[0, 1, "drop"]],
    BeforeValidator(_each_label_once),
    AfterValidator(_both_meanings),
]
"""What a source's labels mean, by `label_name`; drop leaves the row out."""


PLAIN: Labels = {"0": 0, "1": 1, "false": 0, "true": 1, "neg": 0, "pos": 1, "negative": 0, "positive": 1}
"""Labels that can't be misread."""
