"""Lines as fastText has them: `__label__2 A text`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sentiment.tables.rows import BadRow, Row, legible
from sentiment.tables.source import Source
from sentiment.tables.text_table import TextTable

LINE = re.compile(r"\s*__label__(\S+)[ \t]+(.*)", re.DOTALL)
PREFIX = "__label__"


def is_fasttext(source: Source, encoding: str) -> bool:
    """Return whether a text file's first line that isn't empty is one of fastText's."""
    with source.open_lines(encoding) as (lines, _):
        first = next((line for line in lines if line.strip()), "")
    return LINE.match(first) is not None


class FastText(TextTable):
    """A file of fastText's lines, as the columns label and text."""

    def __init__(self, source: Source, encoding: str) -> None:
        self.source, self.encoding, self.names = source, encoding, ["label", "text"]

    @contextmanager
    def open(self) -> Iterator[tuple[Iterator[Row | BadRow], Callable[[], int]]]:
        with self.source.open_lines(self.encoding) as (lines, raw):
            yield self._rows(lines), raw.tell

    def _rows(self, lines: Iterator[str]) -> Iterator[Row | BadRow]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            found = LINE.fullmatch(line.rstrip("\r\n"))
            if found is None:
                yield BadRow(number, f"it must begin with {PREFIX} and a label, and go on with a text", legible(line))
            elif found[2].startswith(PREFIX):
                yield BadRow(number, "it has several labels, but a review has one", legible(line))
            else:
                yield number, [found[1], found[2]]
