"""What quotes mean in a csv or tsv file, which is decided by reading it once, and never row by row.

doubled   a field that holds a delimiter, a quote or a line end stands between quotes, each quote in it twice (RFC 4180)
escaped   likewise, but with a backslash before a quote
literal   quotes are signs like any other, as in tsv files that no spreadsheet wrote
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path
from typing import Any, Literal

from sentiment.core.errors import UserError
from sentiment.core.texts import is_text

Record = tuple[int, int, list[str]]
"""A record's row, as a spreadsheet counts them, the line that it begins on, and its fields."""
OPTIONS: dict[str, dict[str, Any]] = {
    "doubled": {},
    "escaped": {"escapechar": "\\"},
    "literal": {"quoting": csv.QUOTE_NONE},
}
BACKSLASH = re.compile(r'\\(["\\])?')
KNOWN, SHORT = 20, 30
"""Values of a column, and their characters, up to which they are labels or the like."""
SUSPECTS = 100


@dataclass(frozen=True)
class Dialect:
    """How a file's records are written; `first_line` is the line where they begin."""

    delimiter: str
    quoting: Literal["doubled", "escaped", "literal"] = "doubled"
    first_line: int = 1


class MisplacedQuoteError(UserError):
    """A quote in a place where none can be, or a field without an end."""


def read_records(path: Path, lines: Iterable[str], dialect: Dialect, longest: int) -> Iterator[Record]:
    """Yield the records of a file's lines; empty lines are passed over.

    Raises MisplacedQuoteError at a quote in the wrong place, which could swallow the rows after it, and at a field of
    more than `longest` characters.
    """
    csv.field_size_limit(longest)
    if dialect.quoting == "escaped":
        # Only what precedes a quote or a backslash escapes it.
        lines = (BACKSLASH.sub(lambda found: found[0] if found[1] else r"\\", line) for line in lines)
    reader = csv.reader(lines, delimiter=dialect.delimiter, strict=True, **OPTIONS[dialect.quoting])
    row = 0
    while True:
        row, line = row + 1, reader.line_num + dialect.first_line
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise MisplacedQuoteError(
                f"{path}, row {row} (from line {line}): {error}; a field that has quotes in it "
                "must stand between quotes, with each quote inside it written twice"
            ) from None
        if fields is None:
            return
        if fields:
            yield row, line, fields


@dataclass
class Findings:
    """What reading a file once in a dialect has shown.

    The number of its records and of those that have another width than the first; of records with a quote, and of those
    of the right width; the first two rows that aren't of the file's encoding.
    """

    records: int = 0
    uneven: int = 0
    quoted: int = 0
    quoted_even: int = 0
    foreign: list[int] = field(default_factory=list)
    swallowed: tuple[int, int, int] | None = None
    """The row and the lines of a quoted field that a stray quote made of several rows."""


def survey(path: Path, lines: Iterable[str], dialect: Dialect, width: int, longest: int) -> Findings:
    """Read a file's records of `width` fields; raise MisplacedQuoteError as `read_records` does.

    A field of several lines has swallowed rows if each line reads as a whole row by itself, and in some column all of
    them have values that other rows have there: a text rarely has lines that end with a delimiter and a label.
    """
    found = Findings()
    known: list[set[str] | None] = [set() for _ in range(width)]
    suspects: list[tuple[int, int, list[list[str]]]] = []
    taken: list[str] = []
    for row, line, fields in read_records(path, _noting(lines, taken), dialect, longest):
        physical = list(dropwhile(lambda one: not one.strip("\r\n"), taken))
        taken.clear()
        found.records += 1
        even = len(fields) == width
        found.uneven += not even
        if any('"' in one for one in physical):
            found.quoted += 1
            found.quoted_even += even
        if len(found.foreign) < 2 and not all(one.isascii() or is_text(one) for one in physical):
            found.foreign.append(row)
        if len(physical) > 1:
            apart = [one.rstrip("\r\n").split(dialect.delimiter) for one in physical]
            if width > 1 and len(suspects) < SUSPECTS and all(len(cells) == width for cells in apart):
                suspects.append((row, line, apart))
        if even and row > 1:
            _learn(known, fields)
    for row, line, apart in suspects:
        for place, values in enumerate(known):
            if values and all(cells[place].strip(' "') in values for cells in apart):
                found.swallowed = row, line, line + len(apart) - 1
                return found
    return found


def decide(
    path: Path, lines: Callable[[], AbstractContextManager[Iterable[str]]], dialect: Dialect, width: int, longest: int
) -> tuple[Dialect, Findings]:
    """Return the dialect in which a file's records are whole, and what reading it so has shown.

    `lines` opens the file's lines. Raises UserError naming row and lines where no dialect is.
    """

    def read(quoting: Literal["doubled", "escaped", "literal"]) -> tuple[Dialect, Findings]:
        tried = Dialect(dialect.delimiter, quoting, dialect.first_line)
        with lines() as opened:
            return tried, survey(path, opened, tried, width, longest)

    try:
        chosen, found = read("doubled")
    except MisplacedQuoteError as error:
        for quoting in ("escaped", "literal") if dialect.delimiter == "\t" else ("escaped",):
            try:
                chosen, found = read(quoting)
            except MisplacedQuoteError:
                continue
            if not found.uneven if quoting == "escaped" else 2 * found.quoted_even >= found.quoted:
                return chosen, found
        raise error
    if found.swallowed is None:
        return chosen, found
    if dialect.delimiter == "\t":
        return read("literal")
    row, first, last = found.swallowed
    raise UserError(
        f"{path}, row {row}: a quote that opens in line {first} closes in line {last} only, and the lines between read "
        "as rows of their own: put quotes around the whole field, with each quote inside it written twice"
    )


def _noting(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _learn(known: list[set[str] | None], fields: list[str]) -> None:
    """Add a row's values to those that are known of each column, as long as they are few and short."""
    for place, (values, value) in enumerate(zip(known, fields, strict=True)):
        if values is None or not (value := value.strip()):
            continue
        values.add(value)
        if len(values) > KNOWN or len(value) > SHORT or "\n" in value:
            known[place] = None
