"""How good the scores of a labelled file are; none is said unless it is known what the labels mean."""

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sentiment.core.errors import UserError, abridge
from sentiment.core.labels import LABELS, PLAIN, label_name
from sentiment.core.schemas import Strict
from sentiment.metrics import HALF, evaluate
from sentiment.sources.label_reader import declared_labels

LISTED = 10
"""Labels that a sentence shows at most."""
REMEDY = (
    "for metrics, give each row 1 or positive, 0 or negative, or nothing where its review is neither, in a column that "
    "--label names"
)

MEANS = ("accuracy", "log_loss", "brier")
"""Metrics that are means over rows, so that several files have them together."""

Metrics = dict[str, int | float]


class Measured(Strict):
    """What a file's labels say of its scores: the column if one was asked for, what to say, the metrics if any."""

    asked: str | None
    sentence: str | None = None
    metrics: Metrics | None = None


class LabelMetrics:
    """The labels of a file's scored rows beside their scores. Rows whose label is null or blank are left out."""

    def __init__(self, path: Path, source: str, column: str, threshold: float = HALF) -> None:
        """Take a file and its name for people; a parquet file may declare what its labels mean."""
        self.source, self.column, self.threshold = source, column, threshold
        self.labels, self.scores = array("b"), array("d")
        self.seen: dict[str, None] = {}
        self.unknown = False
        self.fault: str | None = None
        self.meanings = PLAIN
        try:
            self.meanings = declared_labels(path, column, "") or PLAIN
        except UserError:
            self.fault = "the file names its labels, and the names do not say which is positive"

    def add(self, values: Iterable[Any], scores: Iterable[float]) -> None:
        for value, score in zip(values, scores, strict=True):
            name = str(label_name(value))
            if value is None or not name.strip():
                continue
            if len(self.seen) <= LISTED:
                self.seen.setdefault(name)
            meaning = self.meanings.get(name)
            if meaning in LABELS:
                self.labels.append(meaning)
                self.scores.append(score)
            else:
                self.unknown = True

    @property
    def known(self) -> bool:
        """Whether some of the labels have a known meaning."""
        return len(self.labels) > 0

    def measured(self, asked: str | None) -> Measured:
        """Return the metrics or, where they can't be computed or would mislead, why not and what to do.

        Nothing is said where no column was asked for and what the labels mean is unknown.
        """
        if not (asked or self.known):
            return Measured(asked=asked)
        if fault := self._why_none():
            return Measured(asked=asked, sentence=f"no metrics: {fault}")
        try:
            metrics = evaluate(self.labels, self.scores, self.threshold)
        except ModuleNotFoundError as error:
            # What serves the model has fewer packages than what makes it.
            lacking = f"no metrics: they need {error.name}, one of the packages of requirements.txt"
            return Measured(asked=asked, sentence=lacking)
        return Measured(asked=asked, sentence=listed(metrics), metrics=metrics)

    def _why_none(self) -> str | None:
        if self.unknown or self.fault:
            return f"{self._what_is_unknown()}; {REMEDY}"
        if set(self.labels) != set(LABELS):
            return f"they need both labels, negative and positive, but the {len(self.labels):,} labelled rows lack one"
        return None

    def _what_is_unknown(self) -> str:
        column = f"column {self.column} of {self.source}"
        if self.fault:
            return f"{self.fault}, those of {column}"
        listed = ", ".join(map(abridge, sorted(self.seen)[:LISTED]))
        more = " and more" if len(self.seen) > LISTED else ""
        return f"{column} has {listed}{more}, and nothing says which of these are positive"


def listed(metrics: Metrics) -> str:
    """Return metrics as people read them."""
    return ", ".join(f"{name} {round(value, 3):,}" for name, value in metrics.items())


def together(files: Sequence[Metrics]) -> Metrics:
    """Return what the metrics of some files come to over all of their rows."""
    rows = sum(file["n"] for file in files)
    means = {name: sum(file[name] * file["n"] for file in files) / rows for name in MEANS}
    return {**means, "n": rows, "positives": sum(file["positives"] for file in files)}
