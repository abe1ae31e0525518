"""The reader of tables: files of any size, in batches.

csv, tsv, txt   the first row names the columns, unless `Reading` does; all values are text
jsonl, json     JSON objects: one per line, in an array, or as pandas writes them
txt, ft         fastText's lines
xlsx            the only sheet that has rows
parquet
a folder        of texts by label, as pos/1.txt, or of files of lines, as reviews.pos

All but the folder may be packed (.gz, .bz2, .zip). Text is UTF-8 unless a byte order mark or `Reading` says otherwise.
Rows have the numbers by which their reader finds them: as a spreadsheet counts them (a header is row 1), in lines the
line, in parquet and in one JSON document the index from 0.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sentiment.core.errors import UserError, reason
from sentiment.core.parquet import BATCH, READING, whole_parquet
from sentiment.core.reading import Reading
from sentiment.core.texts import MAX_CHARACTERS, is_text
from sentiment.tables.asking import Ask, as_field
from sentiment.tables.decoding import encoding_of, remedy
from sentiment.tables.delimited import Delimited
from sentiment.tables.fasttext import FastText, is_fasttext
from sentiment.tables.folders import Folder
from sentiment.tables.json_table import JsonTable
from sentiment.tables.row_groups import groups_with
from sentiment.tables.rows import ANEW, BadRow, Contents, Row, check_columns
from sentiment.tables.source import find_source
from sentiment.tables.spreadsheets import Sheet
from sentiment.tables.text_table import Opened, TextTable, choose


@dataclass(frozen=True)
class Batch:
    """Some rows of a file: their numbers in it, their table, and the bad rows between them.

    `done` is how many of the file's bytes had been read by then.
    """

    numbers: NDArray[np.int64]
    table: pa.Table
    bad: list[BadRow]
    done: int


class Reader:
    """A file's rows in batches of at most BATCH; a bad row stops the reading or is set aside, as `bad_rows` says.

    With `columns`, one pass reads these alone, and gives the values of all but parquet files as text; `hint` ends the
    error about one that is missing. Without, all columns are read, those of JSON objects in the types that a first pass
    finds, and such a row is bad, too, if its column `text` holds anything but text or null. `reading` says what a file
    does not; `notes` are sentences about what was found instead. Raises UserError naming the file, the row where there
    is one, and the remedy, which `ask` words. Of a parquet file, no more than `rows` are read.
    """

    def __init__(
        self,
        path: Path,
        form: str | None = None,
        *,
        bad_rows: Literal["stop", "set aside"],
        columns: list[str] | None = None,
        hint: str = "",
        text: str = "",
        reading: Reading | None = None,
        ask: Ask = as_field,
        rows: range | None = None,
    ) -> None:
        if path.is_file() and path.stat().st_size == 0:
            wanted = f"the columns {', '.join(columns)}" if columns else "rows"
            raise UserError(f"{path} is empty: give a file with {wanted}")
        reading = reading or Reading()
        self.path, self.bad_rows, self.columns, self.ask, self.rows = path, bad_rows, columns, ask, rows
        self.source = find_source(path, form)
        self.encoding, notes = encoding_of(self.source, reading, ask)
        self.table = self._open_table(reading, text)
        if not isinstance(self.table, Delimited | Sheet) and (reading.columns or reading.delimiter):
            notes.append(f"{path} names its columns itself, so nothing is taken from what is said of them")
        self.notes = (*self.source.notes, *notes, *(self.table.notes if self.table else ()))
        self.hint = self.table.hint if self.table else ""
        self.headerless = self.table is not None and self.table.headerless
        names = self._names()
        if names is not None:
            if not all(map(is_text, names)):
                raise UserError(f"{path}: the names of its columns are not {self._encoding_name}; {self._remedy}")
            check_columns(path, names, columns or names, self.hint + hint)

    @cached_property
    def contents(self) -> Contents:
        """All columns and the number of rows; of most files they are found by reading it once.

        Raises UserError where rows are to be set aside but several are in another encoding, which can be said.
        """
        if self.table is None:
            with self._parquet() as file:
                return Contents(file.schema_arrow.remove_metadata(), len(self._wanted(file)))
        found = self.table.contents
        if len(found.foreign) > 1 and self.bad_rows == "set aside" and self._remedy != ANEW:
            raise UserError(
                f"{self.path}, row {found.foreign[0]} and others: not {self._encoding_name}; {self._remedy}"
            )
        return found

    def __iter__(self) -> Iterator[Batch]:
        return self._parquet_batches() if self.table is None else self._text_batches(self.table)

    def _open_table(self, reading: Reading, text: str) -> TextTable | JsonTable | None:
        """Return the table, but of parquet none."""
        # After a quote that is never closed, the rest of a large file must not be read into one field. A text that is
        # too long has to be read before it can be set aside.
        longest = MAX_CHARACTERS if self.bad_rows == "stop" else 10 * MAX_CHARACTERS
        match self.source.kind:
            case "parquet":
                return None
            case "folder":
                return Folder(self.source, self.encoding)
            case "xlsx":
                return Sheet(self.source, reading, self.ask)
            case "json" | "jsonl":
                return JsonTable(self.source, self.encoding, text)
        if self.source.kind == "ft" or is_fasttext(self.source, self.encoding):
            return FastText(self.source, self.encoding)
        return Delimited(self.source, self.encoding, reading, self.ask, longest)

    def _names(self) -> list[str] | None:
        """Return the columns' names as the file's beginning has them; None for JSON that has no good row."""
        if self.table is not None:
            return self.table.names
        with self._parquet() as file:
            return list(file.schema_arrow.names)

    def _parquet_batches(self) -> Iterator[Batch]:
        size = self.path.stat().st_size
        with self._parquet() as file:
            wanted = self._wanted(file)
            groups, done = groups_with(wanted, file.metadata)
            for found in file.iter_batches(BATCH, row_groups=groups, columns=self.columns):
                start, end = max(done, wanted.start), min(done + found.num_rows, wanted.stop)
                skipped, done = start - done, done + found.num_rows
                if start >= end:
                    continue
                batch, numbers = found.slice(skipped, end - start), np.arange(start, end)
                if self.columns:
                    table = pa.table({name: _plain(batch.column(name)) for name in self.columns})
                else:
                    table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                    self._check_unicode(table, numbers)
                yield Batch(numbers, table, [], size * done // file.metadata.num_rows)

    def _wanted(self, file: pq.ParquetFile) -> range:
        return range(file.metadata.num_rows) if self.rows is None else self.rows

    def _check_unicode(self, table: pa.Table, numbers: NDArray[np.int64]) -> None:
        try:
            table.validate(full=True)
        except pa.ArrowInvalid as error:
            place = f"{self.path}, row {numbers[0]} or after it"
            raise UserError(f"{place}: {reason(error)}; write it anew in UTF-8") from None

    def _text_batches(self, table: TextTable | JsonTable) -> Iterator[Batch]:
        texts = pa.schema([(name, pa.string()) for name in self.columns or []])
        schema = texts if self.columns else self.contents.schema
        with self._open_rows(table) as (found, tell):
            rows = self._judge(found)
            while some := list(islice(rows, BATCH)):
                good = [row for row in some if not isinstance(row, BadRow)]
                values = zip(*(row[1] for row in good), strict=True) if good else [()] * len(schema)
                columns = [pa.array(column, kind) for column, kind in zip(values, schema.types, strict=True)]
                numbers = np.array([number for number, _ in good], np.int64)
                bad = [row for row in some if isinstance(row, BadRow)]
                yield Batch(numbers, pa.table(columns, schema=schema), bad, tell())

    def _open_rows(self, table: TextTable | JsonTable) -> Opened:
        if isinstance(table, JsonTable):
            return table.open(self.columns, None if self.columns else self.contents)
        return _chosen(table, self.columns or table.names)

    def _judge(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        for row in rows:
            if isinstance(row, BadRow):
                why = f"{row.foreign} is not {self._encoding_name}; {self._remedy}" if row.foreign else row.reason
                if self.bad_rows == "stop":
                    raise UserError(f"{self.path}, row {row.row}: {why}")
                yield replace(row, reason=why)
            else:
                yield row

    @property
    def _encoding_name(self) -> str:
        return self.encoding.removesuffix("-sig").upper()

    @cached_property
    def _remedy(self) -> str:
        return remedy(self.source, self.encoding, self.ask)

    @contextmanager
    def _parquet(self) -> Iterator[pq.ParquetFile]:
        with (
            whole_parquet(self.path, "export or download it anew"),
            self.source.open_bytes() as (content, _),
            pq.ParquetFile(content if self.source.packing else self.path, **READING) as file,
        ):
            yield file


@contextmanager
def _chosen(table: TextTable, columns: list[str]) -> Iterator[tuple[Iterator[Row | BadRow], Callable[[], int]]]:
    with table.open() as (rows, tell):
        yield choose(rows, table.names, columns), tell


def _plain(column: pa.Array) -> pa.Array:
    """Return text as string, whichever of the ways to store it was chosen."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()) if column.type in {pa.large_string(), pa.string_view()} else column
