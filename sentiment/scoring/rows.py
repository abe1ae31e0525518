"""Scores for the rows of a table, a batch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.core.errors import UserError, abridge
from sentiment.core.labels import LABELS
from sentiment.core.texts import MAX_CHARACTERS
from sentiment.metrics import HALF, as_written
from sentiment.scoring.added_columns import PLAIN, AddedColumns
from sentiment.tables.reader import Batch, Reader
from sentiment.tables.rows import BadRow

CHUNK = 64
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary)

Scores = Sequence[float] | NDArray[np.float64]
Score = Callable[[Sequence[str]], Scores]
"""From texts to their probabilities of positive."""
Mapping = Callable[[Score, Iterable[Sequence[str]]], Iterable[Scores]]
"""Calls a `Score` for each of some chunks of texts, and gives what it returns in their order, as `map` does."""


class Begun(NamedTuple):
    """A batch whose scoring has begun: which rows have a text, why the others have none, the chunks' scores."""

    batch: Batch
    good: list[int]
    faults: dict[int, str]
    scores: Iterable[Scores]


def check(reader: Reader, source: str, text: str, label: str | None = None) -> None:
    """Raise UserError unless the source has the columns that are asked for, one of them of texts."""
    schema = reader.contents.schema
    names = schema.names
    for option, name in (("--text", text), ("--label", label)):
        require(names, source, option, name, hint=reader.hint)
    if not holds_texts(schema.field(text)):
        raise UserError(
            f"{source}: column {text} is of type {schema.field(text).type}: choose one of texts with --text"
        )


def require(names: Sequence[str], source: str, option: str, name: str | None, *, hint: str = "") -> None:
    """Raise UserError where a source lacks the column that an option names."""
    if name is not None and name not in names:
        listed = ", ".join(map(abridge, names))
        raise UserError(f"{source} has no column {name}: choose one with {option}: {listed}{hint}")


def holds_texts(column: pa.Field) -> bool:
    """Return whether a column can hold the reviews."""
    return any(test(column.type) for test in TEXTS)


def extend(schema: pa.Schema, added: AddedColumns = PLAIN) -> pa.Schema:
    """Return the columns of the output."""
    return schema.append(pa.field(added.sentiment, pa.string())).append(pa.field(added.score, pa.float64()))


def score_rows(
    reader: Reader,
    score: Score,
    text: str,
    added: AddedColumns = PLAIN,
    mapping: Mapping = map,
    *,
    threshold: float = HALF,
) -> Iterator[tuple[pa.Table, list[BadRow]]]:
    """Yield the rows that have a text, with what is added to them, and the others, a batch at a time.

    `mapping` gives `score` at most CHUNK texts at a time. One that begins at once, as a pool of threads does, is at
    work on a batch while the next is read and the one before it is written.
    """
    schema = extend(reader.contents.schema, added)
    for batch, good, faults, found in _ahead(_begin(batch, score, text, mapping) for batch in reader):
        scores = as_written([float(value) for chunk in found for value in chunk])
        names = [LABELS[int(probability >= threshold)] for probability in scores]
        columns = batch.table.take(pa.array(good, pa.int64())).columns
        bad = [
            BadRow(int(batch.numbers[place]), reason, _values_of(batch.table.slice(place, 1)))
            for place, reason in faults.items()
        ]
        bad = sorted([*bad, *batch.bad], key=lambda row: row.row)
        yield pa.table([*columns, pa.array(names, pa.string()), pa.array(scores, pa.float64())], schema), bad


def _values_of(row: pa.Table) -> dict[str, Any]:
    """Return the values of a table of one row; a date that Python has no year for as the text of its number."""
    values = {}
    for name, column in zip(row.column_names, row.columns, strict=True):
        try:
            values[name] = column[0].as_py()
        except (OverflowError, ValueError):
            values[name] = str(column[0].value)
    return values


def _begin(batch: Batch, score: Score, text: str, mapping: Mapping) -> Begun:
    values = batch.table[text].to_pylist()
    faults = {place: reason for place, value in enumerate(values) if (reason := _fault(value))}
    good = [place for place in range(len(values)) if place not in faults]
    chunks = [[values[place] for place in good[start : start + CHUNK]] for start in range(0, len(good), CHUNK)]
    return Begun(batch, good, faults, mapping(score, chunks))


def _ahead(batches: Iterator[Begun]) -> Iterator[Begun]:
    """Yield batches, each after the one behind it was begun."""
    current = next(batches, None)
    while current is not None:
        following = next(batches, None)
        yield current
        current = following


def _fault(text: str | None) -> str | None:
    """Say why a value can't be scored, or None where it can."""
    if text is None:
        return "the text is null"
    if not text.strip():
        return "the text is empty"
    if len(text) > MAX_CHARACTERS:
        return f"the text has {len(text):,} characters, but a review has at most {MAX_CHARACTERS:,}"
    return None
