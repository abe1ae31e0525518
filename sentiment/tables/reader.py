"""The reader of tables: csv, tsv, jsonl and parquet files of any size, in batches.

csv, tsv     the first row names the columns; quotes as RFC 4180 has them; all values are text
jsonl        one JSON object per line
parquet

The first three may be compressed (.gz) and are UTF-8. Rows have the numbers by which their reader finds them: in csv
and tsv as a spreadsheet counts them (the header is row 1), in jsonl the line, in parquet the index from 0.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sentiment.core.errors import UserError, reason
from sentiment.core.parquet import BATCH, READING, whole_parquet
from sentiment.core.texts import MAX_CHARACTERS
from sentiment.tables import delimited, json_lines
from sentiment.tables.formats import DELIMITERS, format_of
from sentiment.tables.lines import open_lines
from sentiment.tables.rows import BadRow, Contents, Row, check_columns


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

    With `columns`, one pass reads these alone, and gives the values of csv and jsonl files as text; `hint` ends the
    error about one that is missing. Without, all columns are read, those of a jsonl file in the types that a first pass
    finds, and a jsonl row is bad, too, if its column `text` holds anything but text or null. Raises UserError naming
    the file, the row where there is one, and the remedy.
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
    ) -> None:
        form = form or format_of(str(path))
        self.form, self.compressed = form.removesuffix(".gz"), form.endswith(".gz")
        self.path, self.bad_rows, self.columns, self.text = path, bad_rows, columns, text
        if path.stat().st_size == 0:
            wanted = f"the columns {', '.join(columns)}" if columns else "rows"
            raise UserError(f"{path} is empty: give a file with {wanted}")
        names = self._names()
        if names is not None:
            check_columns(path, names, columns or names, hint)

    @cached_property
    def contents(self) -> Contents:
        """All columns and the number of rows; of a text file they are found by reading it once."""
        if self.form == "parquet":
            with self._parquet() as file:
                return Contents(file.schema_arrow.remove_metadata(), file.metadata.num_rows)
        with self._lines() as (lines, _):
            if self.form == "jsonl":
                return json_lines.survey(lines, self.text)
            records = self._records(lines)
            names = delimited.read_header(self.path, records)
            return Contents(pa.schema([(name, pa.string()) for name in names]), sum(1 for _ in records))

    def __iter__(self) -> Iterator[Batch]:
        return self._parquet_batches() if self.form == "parquet" else self._text_batches()

    def _names(self) -> list[str] | None:
        """Return the columns' names as the file's beginning has them; None for a jsonl file that has no good row."""
        if self.form == "parquet":
            with self._parquet() as file:
                return file.schema_arrow.names
        with self._lines() as (lines, _):
            if self.form == "jsonl":
                objects = json_lines.read_objects(lines)
                return next((list(row[1]) for row in objects if not isinstance(row, BadRow)), None)
            return delimited.read_header(self.path, self._records(lines))

    def _parquet_batches(self) -> Iterator[Batch]:
        size, done = self.path.stat().st_size, 0
        with self._parquet() as file:
            for batch in file.iter_batches(BATCH, columns=self.columns):
                numbers = np.arange(done, done + batch.num_rows)
                done += batch.num_rows
                if self.columns:
                    table = pa.table({name: _plain(batch.column(name)) for name in self.columns})
                else:
                    table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                    self._check_unicode(table, numbers)
                yield Batch(numbers, table, [], size * done // file.metadata.num_rows)

    def _check_unicode(self, table: pa.Table, numbers: NDArray[np.int64]) -> None:
        try:
            table.validate(full=True)
        except pa.ArrowInvalid as error:
            place = f"{self.path}, row {numbers[0]} or after it"
            raise UserError(f"{place}: {reason(error)}; write it anew in UTF-8") from None

    def _text_batches(self) -> Iterator[Batch]:
        texts = pa.schema([(name, pa.string()) for name in self.columns or []])
        schema = texts if self.columns else self.contents.schema
        with self._lines() as (lines, raw):
            rows = self._judge(self._rows(lines))
            while some := list(islice(rows, BATCH)):
                good = [row for row in some if not isinstance(row, BadRow)]
                values = zip(*(row[1] for row in good), strict=True) if good else [()] * len(schema)
                columns = [pa.array(column, kind) for column, kind in zip(values, schema.types, strict=True)]
                numbers = np.array([number for number, _ in good], np.int64)
                bad = [row for row in some if isinstance(row, BadRow)]
                yield Batch(numbers, pa.table(columns, schema=schema), bad, raw.tell())

    def _rows(self, lines: TextIOWrapper) -> Iterator[Row | BadRow]:
        if self.form == "jsonl" and self.columns:
            return json_lines.read_texts(lines, self.columns)
        if self.form == "jsonl":
            return json_lines.read_values(lines, self.text, self.contents)
        records = self._records(lines)
        header = delimited.read_header(self.path, records)
        return delimited.read_rows(records, header, self.columns or header, DELIMITERS[self.form])

    def _judge(self, rows: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
        for row in rows:
            if isinstance(row, BadRow) and self.bad_rows == "stop":
                raise UserError(f"{self.path}, row {row.row}: {row.reason}")
            yield row

    def _records(self, lines: TextIOWrapper) -> Iterator[delimited.Record]:
        # After a quote that is never closed, the rest of a large file must not be read into one field. A text that is
        # too long has to be read before it can be set aside.
        longest = MAX_CHARACTERS if self.bad_rows == "stop" else 10 * MAX_CHARACTERS
        return delimited.read_records(self.path, lines, DELIMITERS[self.form], longest)

    def _lines(self) -> AbstractContextManager[tuple[TextIOWrapper, IO[bytes]]]:
        return open_lines(self.path, compressed=self.compressed)

    @contextmanager
    def _parquet(self) -> Iterator[pq.ParquetFile]:
        with whole_parquet(self.path, "export or download it anew"), pq.ParquetFile(self.path, **READING) as file:
            yield file


def _plain(column: pa.Array) -> pa.Array:
    """Return text as string, whichever of the ways to store it was chosen."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()) if column.type in {pa.large_string(), pa.string_view()} else column
