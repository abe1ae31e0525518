"""Tables of csv, tsv and txt files, read strictly; all values are text."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from typing import IO

from sentiment.core.errors import UserError
from sentiment.core.reading import Reading, delimiter_word
from sentiment.tables.asking import Ask
from sentiment.tables.header import (
    SEPARATOR,
    delimiters_in,
    doubt_header,
    find_delimiter,
    fitting_delimiter,
)
from sentiment.tables.quoting import Dialect, Record, decide, read_records
from sentiment.tables.rows import BadRow, Contents, Row, legible
from sentiment.tables.source import Source
from sentiment.tables.text_table import TextTable

USUAL = {"csv": ",", "tsv": "\t", "txt": "\t"}
SAMPLE = 50
"""Lines that are looked at for the delimiter, and for whether the first row is a header."""
QUOTING_NOTES = {
    "escaped": "a backslash before a quote is not part of the text",
    "literal": "its quotes are read as parts of the texts, as they don't enclose fields",
}


class Delimited(TextTable):
    """A file of delimited fields; its first row names the columns unless `reading` does."""

    def __init__(self, source: Source, encoding: str, reading: Reading, ask: Ask, longest: int) -> None:
        """Find the delimiter, the columns and what quotes mean; raise UserError where that can't be told."""
        self.source, self.encoding, self.longest = source, encoding, longest
        self.named = reading.columns is not None
        usual = USUAL[source.kind]
        with source.open_lines(encoding) as (lines, _):
            sample = list(islice(lines, SAMPLE))
        separator = SEPARATOR.fullmatch(sample[0]) if sample else None
        self.skipped = 1 if separator else 0
        sample = [line for line in sample[self.skipped :] if line.strip("\r\n")]
        first = _first_record(sample)
        if separator:
            delimiter, how = separator[1], "its line sep= says"
        elif reading.delimiter:
            delimiter, how = reading.delimiter, ""
        elif reading.columns:
            delimiter, how = fitting_delimiter(sample, usual, len(reading.columns)), "its rows show"
        else:
            delimiter, how = find_delimiter(first, usual, str(source.path), ask), "its header shows"
        dialect = Dialect(delimiter, first_line=1 + self.skipped)
        self.names = reading.columns or self._header(dialect)
        self.dialect, self.found = decide(source.path, self._plain_lines, dialect, len(self.names), longest)
        if how and delimiter != usual:
            self.notes = (f"{source.path}: its delimiter is the {delimiter_word(delimiter)}, as {how}",)
        if self.dialect.quoting in QUOTING_NOTES:
            self.notes += (f"{source.path}: {QUOTING_NOTES[self.dialect.quoting]}",)
        if not self.named:
            doubt = doubt_header(_records(sample, delimiter), ask)
            self.hint, self.headerless = doubt.said, doubt.sure
            other = [sign for sign in delimiters_in(first) if sign != delimiter]
            if other and not self.hint:
                word = delimiter_word(other[0])
                self.hint = f"; if its delimiter is the {word}: {ask('delimiter', word)}"

    @property
    def contents(self) -> Contents:
        return self._contents(self.found.records - (not self.named), tuple(self.found.foreign))

    @contextmanager
    def open(self) -> Iterator[tuple[Iterator[Row | BadRow], Callable[[], int]]]:
        with self._lines() as (lines, raw):
            records = read_records(self.source.path, lines, self.dialect, self.longest)
            if not self.named:
                next(records)
            yield self._rows(records), raw.tell

    def _rows(self, records: Iterator[Record]) -> Iterator[Row | BadRow]:
        width = len(self.names)
        expected = f"{width} columns are named" if self.named else f"the header has {width}"
        delimiter = self.dialect.delimiter
        remedy = (
            f"a text must not contain the delimiter {delimiter!r}"
            if self.dialect.quoting == "literal"
            else f"put quotes around a field that contains the delimiter {delimiter!r}"
        )
        for row, line, fields in records:
            if len(fields) == width:
                yield row, fields
            else:
                problem = f"{len(fields)} fields from line {line} on, but {expected}: {remedy}"
                yield BadRow(row, problem, list(map(legible, fields)))

    def _header(self, dialect: Dialect) -> list[str]:
        with self._lines() as (lines, _):
            for _, _, names in read_records(self.source.path, lines, dialect, self.longest):
                return names
        raise UserError(f"{self.source.path} has no header: its first row must name the columns")

    @contextmanager
    def _lines(self) -> Iterator[tuple[TextIOWrapper, IO[bytes]]]:
        with self.source.open_lines(self.encoding) as (lines, raw):
            for _ in range(self.skipped):
                next(lines)
            yield lines, raw

    @contextmanager
    def _plain_lines(self) -> Iterator[TextIOWrapper]:
        with self._lines() as (lines, _):
            yield lines


def _first_record(lines: list[str]) -> str:
    """Return the first line, and those after it that belong to a quoted name."""
    record = ""
    for line in lines:
        record += line
        if record.count('"') % 2 == 0:
            break
    return record


def _records(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return [fields for fields in csv.reader(lines, delimiter=delimiter) if fields]
    except csv.Error:
        return []
