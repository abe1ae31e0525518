"""Sheets of Excel workbooks (xlsx): all values as texts, as csv would have them."""

import datetime
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

from sentiment.core.errors import UserError, abridge, reason
from sentiment.core.reading import Reading
from sentiment.tables.asking import Ask
from sentiment.tables.header import doubt_header
from sentiment.tables.rows import BadRow, Row
from sentiment.tables.source import Source
from sentiment.tables.text_table import TextTable

SAMPLE = 50
DAMAGED = (zipfile.BadZipFile, zlib.error, ParseError, EOFError, KeyError, ValueError, TypeError, AttributeError)
"""What openpyxl and what it rests on raise for a file that is none."""
LARGEST = 1_000_000_000
"""Bytes that a workbook may have when unpacked: its texts are held in memory."""


class Sheet(TextTable):
    """The only sheet with rows of a workbook; its first row names the columns unless `reading` does."""

    def __init__(self, source: Source, reading: Reading, ask: Ask) -> None:
        self.source, self.named = source, reading.columns is not None
        with self._sheets() as sheets:
            filled = [sheet.title for sheet in sheets if next(_filled(sheet), None)]
        if not filled:
            raise UserError(f"{source.path} has no sheet with rows: its first row must name the columns")
        if len(filled) > 1:
            listed = ", ".join(map(abridge, filled))
            raise UserError(
                f"{source.path} has several sheets with rows, {listed}: delete those that are not meant, or save the "
                "one that is as csv"
            )
        self.title = filled[0]
        with self._sheets() as sheets:
            rows = _filled(self._sheet(sheets))
            sample = [values for _, values in islice(rows, SAMPLE)]
        if reading.columns:
            self.names = reading.columns
        else:
            self.names = sample[0]
            doubt = doubt_header(sample, ask)
            self.hint, self.headerless = doubt.said, doubt.sure

    @contextmanager
    def open(self) -> Iterator[tuple[Iterator[Row | BadRow], Callable[[], int]]]:
        size = self.source.path.stat().st_size
        with self._sheets() as sheets:
            yield self._rows(self._sheet(sheets)), lambda: size

    def _rows(self, sheet: Any) -> Iterator[Row | BadRow]:
        rows = _filled(sheet)
        if not self.named:
            next(rows)
        for number, values in rows:
            if len(values) > len(self.names):
                problem = f"{len(values)} cells, but there are {len(self.names)} columns: empty the cells beyond them"
                yield BadRow(number, problem, values)
            else:
                yield number, [*values, *[""] * (len(self.names) - len(values))]

    def _sheet(self, sheets: list[Any]) -> Any:
        return next(sheet for sheet in sheets if sheet.title == self.title)

    @contextmanager
    def _sheets(self) -> Iterator[list[Any]]:
        from openpyxl import load_workbook

        with self.source.open_bytes() as (content, _):
            try:
                with zipfile.ZipFile(content) as archive:
                    size = sum(member.file_size for member in archive.infolist())
                if size > LARGEST:
                    raise UserError(f"{self.source.path} is larger than {LARGEST:,} bytes unpacked: save it as csv")
                workbook = load_workbook(content, read_only=True, data_only=True)
                for sheet in workbook.worksheets:
                    sheet.reset_dimensions()  # some writers state wrong ones
                yield workbook.worksheets
            except DAMAGED as error:
                raise UserError(
                    f"{self.source.path} is not a whole xlsx file (truncated, or another format): {reason(error)}; "
                    "save it anew, or as csv"
                ) from None


def _filled(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that have values, less the empty cells at their ends, by their numbers in the sheet."""
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        values = [_text(cell) for cell in cells]
        while values and not values[-1]:
            values.pop()
        if values:
            yield number, values


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
