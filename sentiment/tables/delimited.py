"""Text files, compressed or not, and the records of csv and tsv files among them, read strictly."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from sentiment.core.errors import UserError, reason

Record = tuple[int, int, list[str]]


@contextmanager
def opened(path: Path, raw: IO[bytes], *, compressed: bool) -> Iterator[TextIOWrapper]:
    """Decompress and decode an open file; what isn't UTF-8 becomes surrogates, so that its row can be named.

    Raises UserError where the file is compressed and damaged.
    """
    content: Any = gzip.GzipFile(fileobj=raw) if compressed else raw
    with TextIOWrapper(content, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        try:
            yield lines
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UserError(f"{path} is not a whole gzip file (truncated, or not one): {reason(error)}") from None


def records(path: Path, lines: TextIOWrapper, delimiter: str, longest: int) -> Iterator[Record]:
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
