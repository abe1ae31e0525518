"""Rows of csv and tsv files, read strictly; all values are text."""

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path

from sentiment.core.errors import UserError, abridge
from sentiment.core.texts import is_text
from sentiment.tables.rows import BadRow, Row

Record = tuple[int, int, list[str]]


def read_records(path: Path, lines: TextIOWrapper, delimiter: str, longest: int) -> Iterator[Record]:
    """Yield each record's row, as a spreadsheet counts them, the line it begins on, and its fields; the header first.

    Empty lines are passed over. Raises UserError at a quote in the wrong place, which could swallow the rows after it,
    and at a field of more than `longest` characters.
    """
    csv.field_size_limit(longest)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    row = 0
    while True:
        row, line = row + 1, reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise UserError(
                f"{path}, row {row} (from line {line}): {error}; a field that has quotes in it "
                "must stand between quotes, with each quote inside it written twice"
            ) from None
        if fields is None:
            return
        if fields:
            yield row, line, fields


def read_header(path: Path, records: Iterator[Record]) -> list[str]:
    """Return the names of a file's columns; raise UserError where there are none."""
    for _, _, names in records:
        return names
    raise UserError(f"{path} has no header: its first row must name the columns")


def read_rows(
    records: Iterator[Record], header: list[str], columns: list[str], delimiter: str
) -> Iterator[Row | BadRow]:
    """Yield these columns' values of the records after the header; one of another width or not UTF-8 is bad."""
    places = [header.index(name) for name in columns]
    for row, line, fields in records:
        if len(fields) != len(header):
            problem = (
                f"{len(fields)} fields from line {line} on, but the header has {len(header)}: "
                f"put quotes around a field that contains the delimiter {delimiter!r}"
            )
        else:
            values = [fields[place] for place in places]
            if all(map(is_text, values)):
                yield row, values
                continue
            name = next(name for name, value in zip(columns, values, strict=True) if not is_text(value))
            problem = f"{abridge(name)} is not UTF-8; write it anew in UTF-8"
        yield BadRow(row, problem, [field.encode(errors="replace").decode() for field in fields])
