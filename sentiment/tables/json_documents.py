"""JSON files that are one document: an array of objects, or columns or rows by their index, as pandas writes them."""

import json
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any

from sentiment.core.errors import UserError, reason
from sentiment.tables.source import Source

LARGEST = 500_000_000
"""Characters of a document, which is held in memory; a small packed file can hold any number of them."""
BLANK = " \t\r\n"


def read_document(source: Source, encoding: str) -> list[Any] | None:
    """Return the rows of a document, which is read whole; None for a file of objects, one per line.

    Raises UserError for a document of another form.
    """
    with source.open_lines(encoding) as (lines, _):
        first = _first_line(lines)
        more = any(line.strip(BLANK) for line in lines)
    value = _value(first)
    if value is not None:
        whole = isinstance(value, list) or (source.kind == "json" and _is_table(value))
        return list(_rows(value, source)) if whole and not more else None
    if not first.startswith("[" if source.kind == "jsonl" else ("[", "{")):
        return None
    with source.open_lines(encoding) as (lines, _):
        text = lines.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise UserError(f"{source.path} has more than {LARGEST:,} characters in one document: write an object per line")
    try:
        return list(_rows(json.loads(text), source))
    except (ValueError, RecursionError) as error:
        if source.kind == "jsonl":
            return None
        raise UserError(f"{source.path} is not JSON: {reason(error)}") from None


def _first_line(lines: TextIOWrapper) -> str:
    while (line := lines.readline(LARGEST)) and not line.strip(BLANK):
        pass
    return line.strip(BLANK)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_table(value: Any) -> bool:
    """Return whether an object's values are objects with the same keys, or lists of the same length."""
    if not isinstance(value, dict) or not value:
        return False
    first = next(iter(value.values()))
    if isinstance(first, dict):
        return all(isinstance(column, dict) and column.keys() == first.keys() for column in value.values())
    if isinstance(first, list):
        return all(isinstance(column, list) and len(column) == len(first) for column in value.values())
    return False


def _rows(value: Any, source: Source) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif not _is_table(value):
        raise UserError(
            f"{source.path} must be an array of JSON objects, one such object per line, or an object of columns, "
            "as pandas writes it"
        )
    elif all(key.isdecimal() for key in value) and isinstance(next(iter(value.values())), dict):
        yield from value.values()
    else:
        places = next(iter(value.values()))
        keys = list(places) if isinstance(places, dict) else range(len(places))
        for key in keys:
            yield {name: column[key] for name, column in value.items()}
