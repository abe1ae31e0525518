"""Rows of jsonl files, one JSON object per line, read as texts or in the types that fit all values of a column."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from sentiment.core.errors import abridge, reason
from sentiment.core.texts import is_text
from sentiment.tables.rows import BadRow, Contents, Row

Record = dict[str, Any]

to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode
"""Returns a value as JSON; what JSON has no form for, dates among them, as a text."""

TYPES: list[tuple[set[type], pa.DataType]] = [
    ({str}, pa.string()),
    ({bool}, pa.bool_()),
    ({int, np.int64}, pa.int64()),
    ({int, float}, pa.float64()),
]
"""Kinds of JSON values, see `_kind`, and the type of a column that holds no others."""


def read_objects(lines: Iterable[str], columns: list[str] | None = None) -> Iterator[tuple[int, Record] | BadRow]:
    """Yield each line's number and object; lines that hold none or are not UTF-8 are bad, empty ones passed over.

    Of an object only these columns are kept and checked, null where it lacks one; all of them if `columns` is None.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = _parse(line)
            if columns is not None:
                record = {name: record.get(name) for name in columns}
            _check_unicode(record)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, reason(error), line.encode(errors="replace").decode())
        else:
            yield number, record


def read_texts(lines: Iterable[str], columns: list[str]) -> Iterator[Row | BadRow]:
    """Yield the values of these columns as text, numbers and booleans as JSON has them; lists and objects are bad."""
    for row in read_objects(lines, columns):
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


def read_reviews(lines: Iterable[str], text: str) -> Iterator[tuple[int, Record] | BadRow]:
    """As `read_objects`, but rows whose column `text` holds anything but text or null are bad, too."""
    for row in read_objects(lines):
        if isinstance(row, BadRow) or isinstance(row[1].get(text), str | None):
            yield row
        else:
            number, record = row
            yield BadRow(number, f"{abridge(text)} is {record[text]!r:.40}, but must be text", record)


def read_values(lines: Iterable[str], text: str, contents: Contents) -> Iterator[Row | BadRow]:
    """Yield the values of all columns in their types, as `survey` found them."""
    for row in read_reviews(lines, text):
        if isinstance(row, BadRow):
            yield row
        else:
            number, record = row
            for name in contents.json & record.keys():
                record[name] = record[name] if record[name] is None else to_json(record[name])
            yield number, [record.get(name) for name in contents.schema.names]


def survey(lines: Iterable[str], text: str) -> Contents:
    """Find the columns, the type that fits all values of each, and the number of rows."""
    kinds: dict[str, set[type]] = {}
    rows = 0
    for row in read_reviews(lines, text):
        rows += 1
        if not isinstance(row, BadRow):
            for name, value in row[1].items():
                kinds.setdefault(name, set()).add(_kind(value))
    types = {name: _type(found - {type(None)}) for name, found in kinds.items()}
    schema = pa.schema([(name, kind or pa.string()) for name, kind in types.items()])
    return Contents(schema, rows, frozenset(name for name, kind in types.items() if kind is None))


def _parse(line: str) -> Record:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON, one object per line: {reason(error)}") from None
    if not isinstance(record, dict):
        raise ValueError(f"it is {record!r:.40}, but must be a JSON object")
    return record


def _check_unicode(record: Record) -> None:
    for name, value in record.items():
        text = to_json(value) if isinstance(value, dict | list) else value
        if not is_text(name) or (isinstance(text, str) and not is_text(text)):
            raise ValueError(f"{abridge(name)} is not UTF-8; write it anew in UTF-8")


def _kind(value: Any) -> type:
    """Return a value's type: of whole numbers int if a float64 holds it exactly, np.int64 if only that does."""
    if type(value) is not int or abs(value) <= 2**53:
        return type(value)
    return np.int64 if -(2**63) <= value < 2**63 else object


def _type(kinds: set[type]) -> pa.DataType | None:
    return next((kind for known, kind in TYPES if kinds <= known), None)
