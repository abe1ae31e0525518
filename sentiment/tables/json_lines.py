"""Rows of JSON objects, one per line or of one document, as texts or in the types that fit all values of a column."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from sentiment.core.errors import abridge, reason
from sentiment.core.texts import is_text
from sentiment.tables.rows import ANEW, BadRow, Contents, Row, legible

Record = dict[str, Any]
BYTES = re.compile("[\udc80-\udcff]")
"""What bytes become that aren't of a file's encoding."""
Numbered = tuple[int, Any]
"""The number of a row in its file, and the JSON value that stands there."""

to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode
"""Returns a value as JSON; what JSON has no form for, dates among them, as a text."""

TYPES: list[tuple[set[type], pa.DataType]] = [
    ({str}, pa.string()),
    ({bool}, pa.bool_()),
    ({int, np.int64}, pa.int64()),
    ({int, float}, pa.float64()),
]
"""Kinds of JSON values, see `_kind`, and the type of a column that holds no others."""


def parse_lines(lines: Iterable[str]) -> Iterator[Numbered | BadRow]:
    """Yield each line's number and value; lines that hold none are bad, empty ones passed over."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON, one object per line: {reason(error)}", legible(line))


def read_objects(
    values: Iterable[Numbered | BadRow], columns: list[str] | None = None
) -> Iterator[tuple[int, Record] | BadRow]:
    """Yield the values' numbers and objects; what is none or isn't UTF-8 is bad.

    Of an object only these columns are kept and checked, null where it lacks one; all of them if `columns` is None.
    """
    for found in values:
        if isinstance(found, BadRow):
            yield found
            continue
        number, record = found
        if not isinstance(record, dict):
            problem = f"it is {legible(f'{record!r:.40}')}, but must be a JSON object"
            yield BadRow(number, problem, _written(record))
            continue
        if columns is not None:
            record = {name: record.get(name) for name in columns}
        try:
            broken = next((name for name, value in record.items() if not _is_unicode(name, value)), None)
        except RecursionError as error:
            yield BadRow(number, reason(error), None)
            continue
        if broken is None:
            yield number, record
        else:
            # Halves of surrogate pairs are escapes in the JSON, not bytes of another encoding.
            written = json.dumps({broken: record[broken]}, ensure_ascii=False)
            if BYTES.search(written):
                yield BadRow(number, "", _written(record), foreign=abridge(broken))
            else:
                yield BadRow(number, f"{abridge(broken)} is not UTF-8; {ANEW}", _written(record))


def read_texts(values: Iterable[Numbered | BadRow], columns: list[str]) -> Iterator[Row | BadRow]:
    """Yield the values of these columns as text, numbers and booleans as JSON has them; lists and objects are bad."""
    for row in read_objects(values, columns):
        if isinstance(row, BadRow):
            yield row
            continue
        number, record = row
        nested = next((name for name, value in record.items() if isinstance(value, dict | list)), None)
        if nested is None:
            yield number, [v if isinstance(v, str | None) else json.dumps(v) for v in record.values()]
        else:
            problem = f"{abridge(nested)} is {record[nested]!r:.40}, but must be text or a number"
            yield BadRow(number, problem, record)


def read_reviews(values: Iterable[Numbered | BadRow], text: str) -> Iterator[tuple[int, Record] | BadRow]:
    """As `read_objects`, but rows whose column `text` holds anything but text or null are bad, too."""
    for row in read_objects(values):
        if isinstance(row, BadRow) or isinstance(row[1].get(text), str | None):
            yield row
        else:
            number, record = row
            yield BadRow(number, f"{abridge(text)} is {record[text]!r:.40}, but must be text", record)


def read_values(values: Iterable[Numbered | BadRow], text: str, contents: Contents) -> Iterator[Row | BadRow]:
    """Yield the values of all columns in their types, as `survey` found them."""
    for row in read_reviews(values, text):
        if isinstance(row, BadRow):
            yield row
        else:
            number, record = row
            for name in contents.json & record.keys():
                record[name] = record[name] if record[name] is None else to_json(record[name])
            yield number, [record.get(name) for name in contents.schema.names]


def survey(values: Iterable[Numbered | BadRow], text: str) -> Contents:
    """Find the columns, the type that fits all values of each, and the number of rows."""
    kinds: dict[str, set[type]] = {}
    rows = 0
    foreign: list[int] = []
    for row in read_reviews(values, text):
        rows += 1
        if not isinstance(row, BadRow):
            for name, value in row[1].items():
                kinds.setdefault(name, set()).add(_kind(value))
        elif row.foreign and len(foreign) < 2:
            foreign.append(row.row)
    types = {name: _type(found - {type(None)}) for name, found in kinds.items()}
    schema = pa.schema([(name, kind or pa.string()) for name, kind in types.items()])
    json_columns = frozenset(name for name, kind in types.items() if kind is None)
    return Contents(schema, rows, json_columns, tuple(foreign))


def _written(value: Any) -> str:
    return legible(json.dumps(value, ensure_ascii=False))


def _is_unicode(name: str, value: Any) -> bool:
    text = to_json(value) if isinstance(value, dict | list) else value
    return is_text(name) and (not isinstance(text, str) or is_text(text))


def _kind(value: Any) -> type:
    """Return a value's type: of whole numbers int if a float64 holds it exactly, np.int64 if only that does."""
    if type(value) is not int or abs(value) <= 2**53:
        return type(value)
    return np.int64 if -(2**63) <= value < 2**63 else object


def _type(kinds: set[type]) -> pa.DataType | None:
    return next((kind for known, kind in TYPES if kinds <= known), None)
