"""Tables of JSON objects: one per line, or in one document."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sentiment.tables.json_documents import read_document
from sentiment.tables.json_lines import (
    Numbered,
    parse_lines,
    read_objects,
    read_texts,
    read_values,
    survey,
)
from sentiment.tables.rows import BadRow, Contents, Row
from sentiment.tables.source import Source


class JsonTable:
    """A file of JSON objects, whose column `text` holds texts or null where all columns are read.

    Rows are numbered by their line, in a document by their index from 0.
    """

    hint, headerless = "", False

    def __init__(self, source: Source, encoding: str, text: str) -> None:
        self.source, self.encoding, self.text = source, encoding, text
        self.document = read_document(source, encoding)
        self.notes: tuple[str, ...] = ()
        if source.kind == "jsonl" and self.document is not None:
            self.notes = (f"{source.path} is one JSON array, whatever its name says",)

    @property
    def names(self) -> list[str] | None:
        """The columns of the first good row; None where there is none."""
        with self._values() as (values, _):
            return next((list(row[1]) for row in read_objects(values) if not isinstance(row, BadRow)), None)

    @property
    def contents(self) -> Contents:
        with self._values() as (values, _):
            return survey(values, self.text)

    @contextmanager
    def open(
        self, columns: list[str] | None, contents: Contents | None
    ) -> Iterator[tuple[Iterator[Row | BadRow], Callable[[], int]]]:
        """Open the file for these columns' values as texts, or for all in the types that `contents` has."""
        with self._values() as (values, tell):
            if contents is None:
                yield read_texts(values, columns or []), tell
            else:
                yield read_values(values, self.text, contents), tell

    @contextmanager
    def _values(self) -> Iterator[tuple[Iterator[Numbered | BadRow], Callable[[], int]]]:
        if self.document is None:
            with self.source.open_lines(self.encoding) as (lines, raw):
                yield parse_lines(lines), raw.tell
        else:
            size = self.source.path.stat().st_size
            yield iter(enumerate(self.document)), lambda: size
