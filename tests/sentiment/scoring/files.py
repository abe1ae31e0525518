"""Files to score, and scored ones."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from sentiment.tables.formats import format_of
from sentiment.tables.reader import Reader
from sentiment.tables.writer import open_writer

Command = Callable[..., None]


def write(name: str, table: pa.Table) -> None:
    with Path(name).open("wb") as file, open_writer(file, format_of(name), table.schema) as append:
        append(table)


def visible(folder: str) -> list[str]:
    """Return the names in a folder of outputs, without those that are kept about them."""
    return sorted(path.name for path in Path(folder).iterdir() if not path.name.startswith("."))


def read(name: str) -> list[dict[str, str]]:
    return [row for batch in Reader(Path(name), bad_rows="stop", text="text") for row in batch.table.to_pylist()]
