"""The writer of tables: csv, tsv, jsonl and parquet files, a batch at a time."""

import gzip
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from sentiment.tables.formats import DELIMITERS
from sentiment.tables.json_lines import to_json


@contextmanager
def open_writer(
    raw: IO[bytes], form: str, schema: pa.Schema, json_columns: Collection[str] = ()
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends a table to an open file; the same tables give the same bytes.

    The texts of `json_columns` are JSON; a jsonl file gets their values.
    """
    form, compressed = form.removesuffix(".gz"), form.endswith(".gz")
    # The name and time that gzip would store differ between runs.
    with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if compressed else nullcontext(raw) as file:
        if form == "parquet":
            with pq.ParquetWriter(file, schema, compression="zstd") as parquet:
                yield parquet.write_table
        elif form == "jsonl":
            yield lambda table: _write_lines(file, table, json_columns)
        else:
            flat = pa.schema([(name, _flat(kind)) for name, kind in zip(schema.names, schema.types, strict=True)])
            options = pa.csv.WriteOptions(delimiter=DELIMITERS[form], quoting_style="needed")
            with pa.csv.CSVWriter(file, flat, write_options=options) as rows:
                yield lambda table: rows.write_table(_flatten(table, flat))


def _write_lines(file: Any, table: pa.Table, json_columns: Collection[str]) -> None:
    for record in table.to_pylist():
        for name in json_columns:
            if record[name] is not None:
                record[name] = json.loads(record[name])
        file.write(f"{to_json(record)}\n".encode())


def _flat(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) else kind


def _flatten(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Turn the columns that csv has no values for into texts: lists and structures as JSON."""
    columns = []
    for kind, column in zip(schema.types, table.columns, strict=True):
        if pa.types.is_nested(column.type):
            values = [value if value is None else to_json(value) for value in column.to_pylist()]
            columns.append(pa.array(values, kind))
        else:
            columns.append(column.cast(kind))
    return pa.table(columns, schema)
