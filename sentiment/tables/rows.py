"""What is read of a table, whatever its format: its columns, its rows, and the rows that can't be read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from sentiment.core.errors import UserError, abridge

ANEW = "write it anew in UTF-8"
Row = tuple[int, list[Any]]
"""A row's number in its file, and its values, one for each column that is read."""


@dataclass(frozen=True)
class BadRow:
    """A row that can't be used: its number in the file, why, and what it holds as far as it could be read.

    `foreign` names what in it is not of the file's encoding; the reason is then left to what knows that.
    """

    row: int
    reason: str
    content: Any
    foreign: str = ""

    def as_json(self) -> str:
        """Return the row as a line of a jsonl file."""
        content = {"row": self.row, "reason": self.reason, "content": self.content}
        return json.dumps(content, ensure_ascii=False, default=str) + "\n"


def legible(text: str) -> str:
    """Return a text with the bytes and signs that aren't text written as escapes."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Contents:
    """What a file holds: its columns and their types, and its number of rows, bad ones among them.

    `json` names the columns of a jsonl file whose values are of several kinds, or lists and objects: they are read as
    JSON texts. `foreign` are the first two rows that aren't of the file's encoding.
    """

    schema: pa.Schema
    rows: int
    json: frozenset[str] = frozenset()
    foreign: tuple[int, ...] = ()


def check_columns(path: Path, names: list[str], wanted: list[str], hint: str = "") -> None:
    """Raise UserError unless each of the wanted columns is once among a file's; `hint` ends it for a missing one."""
    missing = [name for name in wanted if name not in names]
    if missing:
        listed = ", ".join(map(abridge, names))
        raise UserError(f"{path} has no column {', '.join(missing)}: its columns are {listed}{hint}")
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise UserError(f"{path} has the column {twice[0]} twice: give each a name of its own")
