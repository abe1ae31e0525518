"""Files of rows in four formats, read and written piece by piece, every column kept.

csv, tsv     the first row names the columns; quotes as RFC 4180 has them; all values are text
jsonl        one JSON object per line
parquet

The first three may be compressed (.gz) and are UTF-8. Rows have the numbers by which their reader finds them: in csv
and tsv as a spreadsheet counts them (the header is row 1), in jsonl the line, in parquet the index from 0.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from sentiment.core.errors import UserError, reason
from sentiment.core.parquet import READING
from sentiment.tables.delimited import opened, records
from sentiment.text.cleaning import MAX_CHARACTERS, is_text

DELIMITERS = {"csv": ",", "tsv": "\t"}
FORMATS = ("csv", "tsv", "jsonl", "parquet", "csv.gz", "tsv.gz", "jsonl.gz")
BATCH_ROWS = 4096

Record = dict[str, Any]


@dataclass(frozen=True)
class Rejected:
    """A row that is no record of its file, as far as it could be read."""

    row: int
    reason: str
    content: Any


@dataclass(frozen=True)
class Batch:
    """Some rows of a file: their numbers, their table, and those between them that are no records."""

    numbers: list[int]
    table: pa.Table
    rejected: list[Rejected] = field(default_factory=list)


def format_of(name: str) -> str:
    """Return the format that a file's name ends in; raise UserError naming those that there are."""
    for known in FORMATS:
        if name.lower().endswith(f".{known}"):
            return known
    raise UserError(f"{name} is of no known format: its name must end in .{', .'.join(FORMATS)}")


class Reader:
    """A file's columns and number of rows, found by reading it once, and its rows by reading it again.

    The column named by `text` holds texts or nothing; a row of a jsonl file that has something else there is rejected.
    Raises UserError naming the file, the row where there is one, and the remedy. `json` names the columns of a jsonl
    file whose values are of several kinds, or lists and objects: their values are read as JSON texts.
    """

    def __init__(self, path: Path, form: str, text: str) -> None:
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty: give a file with rows")
        self.path, self.text = path, text
        self.form, self.compressed = form.removesuffix(".gz"), form.endswith(".gz")
        self.json: set[str] = set()
        if self.form == "parquet":
            with self._whole():
                file = pq.ParquetFile(path)
                self.schema, self.rows = file.schema_arrow.remove_metadata(), file.metadata.num_rows
        elif self.form == "jsonl":
            self.schema, self.rows = self._survey()
        else:
            records = self._fields()
            names = next(records, None)
            if not isinstance(names, tuple):
                raise UserError(f"{path} has no header: its first row must name the columns")
            self.schema = pa.schema([(name, pa.string()) for name in names[1]])
            self.rows = sum(1 for _ in records)
        names = self.schema.names
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"{path} has the column {twice} twice: give each a name of its own")

    def __iter__(self) -> Iterator[Batch]:
        if self.form == "parquet":
            yield from self._parquet_batches()
            return
        rows = self._objects() if self.form == "jsonl" else islice(self._fields(), 1, None)
        while some := list(islice(rows, BATCH_ROWS)):
            records = [row for row in some if not isinstance(row, Rejected)]
            columns = {name: self._column(name, records, place) for place, name in enumerate(self.schema.names)}
            table = pa.table(columns, self.schema)
            yield Batch([number for number, _ in records], table, [row for row in some if isinstance(row, Rejected)])

    def _column(self, name: str, records: list[tuple[int, Any]], place: int) -> list[Any]:
        if self.form != "jsonl":
            return [record[place] for _, record in records]
        values = [record.get(name) for _, record in records]
        return [value if value is None else _json(value) for value in values] if name in self.json else values

    def _parquet_batches(self) -> Iterator[Batch]:
        done = 0
        with self._whole():
            for batch in pq.ParquetFile(self.path, **READING).iter_batches(BATCH_ROWS):
                table = pa.Table.from_batches([batch]).replace_schema_metadata(None)
                yield Batch(list(range(done, done + batch.num_rows)), table)
                done += batch.num_rows

    def _fields(self) -> Iterator[tuple[int, list[str]] | Rejected]:
        """Yield the rows of a csv or tsv file, header first."""
        width = None
        with self._lines() as lines:
            # A quote that is never closed must not read the rest of a large file into one field.
            for number, _, fields in records(self.path, lines, DELIMITERS[self.form], 10 * MAX_CHARACTERS):
                width = width or len(fields)
                if len(fields) == width and all(map(is_text, fields)):
                    yield number, fields
                else:
                    problem = "is not UTF-8" if len(fields) == width else f"has {len(fields)} fields instead of {width}"
                    yield Rejected(number, problem, [field.encode(errors="replace").decode() for field in fields])

    def _objects(self) -> Iterator[tuple[int, Record] | Rejected]:
        """Yield the rows of a jsonl file."""
        with self._lines() as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                    json.dumps(record, ensure_ascii=False).encode()
                except (ValueError, RecursionError) as error:
                    yield Rejected(
                        number, f"is not JSON in UTF-8: {reason(error)}", line.encode(errors="replace").decode()
                    )
                else:
                    if not isinstance(record, dict):
                        yield Rejected(number, "is not a JSON object", record)
                    elif not isinstance(record.get(self.text), str | None):
                        yield Rejected(number, "the text is no text", record)
                    else:
                        yield number, record

    def _survey(self) -> tuple[pa.Schema, int]:
        """Find the columns of a jsonl file, the type that fits all values of each, and the number of rows."""
        kinds: dict[str, set[type]] = {}
        rows = 0
        for row in self._objects():
            rows += 1
            if isinstance(row, Rejected):
                continue
            for name, value in row[1].items():
                big = isinstance(value, int) and not -(2**63) <= value < 2**63
                kinds.setdefault(name, set()).add(object if big else type(value))
        fields = []
        for name, found in kinds.items():
            found -= {type(None)}
            simple = [kind for kinds_, kind in TYPES if found <= kinds_]
            if not simple:
                self.json.add(name)
            fields.append((name, simple[0] if simple else pa.string()))
        return pa.schema(fields), rows

    @contextmanager
    def _lines(self) -> Iterator[TextIOWrapper]:
        with self.path.open("rb") as raw, opened(self.path, raw, compressed=self.compressed) as lines:
            yield lines

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{self.path} is not a whole parquet file (truncated, or another format): {reason(error)}"
            ) from None


TYPES: list[tuple[set[type], pa.DataType]] = [
    ({str}, pa.string()),
    ({bool}, pa.bool_()),
    ({int}, pa.int64()),
    ({int, float}, pa.float64()),
]
"""Kinds of JSON values, and the type of a column that holds no others."""


@contextmanager
def writer(
    raw: IO[bytes], form: str, schema: pa.Schema, texts_of_json: set[str]
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends a table to an open file.

    `texts_of_json` names the columns whose texts are JSON; jsonl gets their values.
    """
    form, compressed = form.removesuffix(".gz"), form.endswith(".gz")
    # The name and time that gzip would store differ between runs.
    with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if compressed else nullcontext(raw) as file:
        if form == "parquet":
            with pq.ParquetWriter(file, schema, compression="zstd") as parquet:
                yield parquet.write_table
        elif form == "jsonl":
            yield lambda table: _write_lines(file, table, texts_of_json)
        else:
            flat = pa.schema([(name, _flat(kind)) for name, kind in zip(schema.names, schema.types, strict=True)])
            options = pa.csv.WriteOptions(delimiter=DELIMITERS[form], quoting_style="needed")
            with pa.csv.CSVWriter(file, flat, write_options=options) as rows:
                yield lambda table: rows.write_table(_flattened(table, flat))


def _write_lines(file: Any, table: pa.Table, texts_of_json: set[str]) -> None:
    for record in table.to_pylist():
        for name in texts_of_json:
            if record[name] is not None:
                record[name] = json.loads(record[name])
        file.write(f"{_json(record)}\n".encode())


def _flat(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) else kind


def _flattened(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Turn the columns that csv has no values for into texts: lists and structures as JSON."""
    columns = []
    for kind, column in zip(schema.types, table.columns, strict=True):
        if pa.types.is_nested(column.type):
            values = [value if value is None else _json(value) for value in column.to_pylist()]
            columns.append(pa.array(values, kind))
        else:
            columns.append(column.cast(kind))
    return pa.table(columns, schema)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
