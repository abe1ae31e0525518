"""What the tables whose values are all texts have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import pyarrow as pa

from sentiment.core.errors import abridge
from sentiment.core.texts import is_text
from sentiment.tables.rows import BadRow, Contents, Row, legible

Opened = AbstractContextManager[tuple[Iterator[Row | BadRow], Callable[[], int]]]
"""A file's rows, and a function that tells how many of its bytes have been read."""


class TextTable(ABC):
    """A table of texts: its columns' names, what was found out about it, and its rows in all columns."""

    names: list[str]
    notes: tuple[str, ...] = ()
    hint: str = ""
    """What ends the error about a column that is missing."""
    headerless: bool = False
    """Whether the first row, which should name the columns, is data for certain."""

    @abstractmethod
    def open(self) -> Opened:
        """Open the file for its rows with their numbers."""

    @property
    def contents(self) -> Contents:
        """The columns and the number of rows, bad ones among them."""
        count = 0
        foreign: list[int] = []
        with self.open() as (rows, _):
            for row in choose(rows, self.names, self.names):
                count += 1
                if isinstance(row, BadRow) and row.foreign and len(foreign) < 2:
                    foreign.append(row.row)
        return self._contents(count, tuple(foreign))

    def _contents(self, rows: int, foreign: tuple[int, ...]) -> Contents:
        return Contents(pa.schema([(name, pa.string()) for name in self.names]), rows, foreign=foreign)


def choose(rows: Iterable[Row | BadRow], names: list[str], columns: list[str]) -> Iterator[Row | BadRow]:
    """Yield these columns' values of the rows; those with one that isn't of the file's encoding are bad."""
    places = [names.index(name) for name in columns]
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        number, values = row
        chosen = [values[place] for place in places]
        broken = next((place for place in places if not (values[place] is None or is_text(values[place]))), None)
        if broken is None:
            yield number, chosen
        else:
            content = [value if value is None else legible(value) for value in values]
            yield BadRow(number, "", content, foreign=abridge(names[broken]))
