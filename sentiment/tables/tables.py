"""Tables of any size in files of four formats, read in batches.

csv     comma-separated, tsv tab-separated; the first row names the columns; quotes as RFC 4180 has them
jsonl   one JSON object per line
parquet

The first three may be compressed (.gz), are UTF-8 and give their values as text. Rows have the numbers by which their
reader finds them: in csv and tsv as a spreadsheet counts them (the header is row 1), in jsonl the line, in parquet the
index from 0.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sentiment.core.errors import UserError, reason
from sentiment.core.parquet import READING, whole_parquet
from sentiment.tables.delimited import opened, records
from sentiment.text.cleaning import MAX_CHARACTERS

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz", ".parquet")
BATCH_ROWS = 16_384

Row = tuple[int, list[str | None]]


@dataclass(frozen=True)
class Batch:
    """Some rows of a file, their numbers in it, and how many of its bytes were read when they were complete."""

    table: pa.Table
    rows: NDArray[np.int64]
    read: int


def suffix_of(name: str) -> str | None:
    """Return the ending by which a file's format is known, or None where it is of none."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def read_batches(path: Path, columns: list[str], hint: str = "") -> Iterator[Batch]:
    """Yield a file's named columns, at most BATCH_ROWS rows at a time.

    Raises UserError naming the file, the row where there is one, and the remedy; `hint` ends the one for a column that
    is not there.
    """
    suffix = suffix_of(path.name)
    if suffix is None:
        raise UserError(f"{path} is of no known format: its name must end in {', '.join(SUFFIXES)}")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: give a file with the columns {', '.join(columns)}")
    if suffix == ".parquet":
        return _parquet_batches(path, columns, hint)
    return _text_batches(path, suffix.removesuffix(".gz"), columns, hint)


def declared_names(path: Path, column: str) -> list[str]:
    """Return the names that a parquet file of the hub's `datasets` library gives the numbers of a column from 0 on."""
    if suffix_of(path.name) != ".parquet":
        return []
    with whole_parquet(path):
        metadata = pq.read_schema(path).metadata or {}
    try:
        return list(map(str, json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]))
    except (ValueError, LookupError, TypeError):
        return []


def _parquet_batches(path: Path, columns: list[str], hint: str) -> Iterator[Batch]:
    size, done = path.stat().st_size, 0
    with whole_parquet(path):
        file = pq.ParquetFile(path, **READING)
        _find(path, columns, file.schema_arrow.names, hint)
        for batch in file.iter_batches(BATCH_ROWS, columns=columns):
            rows = np.arange(done, done + batch.num_rows)
            done += batch.num_rows
            table = pa.table({name: _plain(batch.column(name)) for name in columns})
            yield Batch(table, rows, size * done // file.metadata.num_rows)


def _plain(column: pa.Array) -> pa.Array:
    """Return text as string, whichever of the ways to store it was chosen."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.string()) if column.type in {pa.large_string(), pa.string_view()} else column


def _text_batches(path: Path, suffix: str, columns: list[str], hint: str) -> Iterator[Batch]:
    with path.open("rb") as raw, opened(path, raw, compressed=path.name.lower().endswith(".gz")) as lines:
        if suffix == ".jsonl":
            rows = _json_rows(path, lines, columns, hint)
        else:
            rows = _records(path, lines, DELIMITERS[suffix], columns, hint)
        while some := list(islice(rows, BATCH_ROWS)):
            numbers = np.array([number for number, _ in some])
            values = zip(*(row for _, row in some), strict=True)
            table = {name: _strings(path, numbers, name, column) for name, column in zip(columns, values, strict=True)}
            yield Batch(pa.table(table), numbers, raw.tell())


def _records(path: Path, lines: TextIOWrapper, delimiter: str, columns: list[str], hint: str) -> Iterator[Row]:
    found = records(path, lines, delimiter, MAX_CHARACTERS)
    _, _, header = next(found, (0, 0, list[str]()))
    places = _find(path, columns, header, hint) if header else []
    for number, line, fields in found:
        if len(fields) != len(header):
            raise UserError(
                f"{path}, row {number} (from line {line}) has {len(fields)} fields, but the header has "
                f"{len(header)}: put quotes around a field that contains the delimiter {delimiter!r}"
            )
        yield number, [fields[place] for place in places]


def _json_rows(path: Path, lines: TextIOWrapper, columns: list[str], hint: str) -> Iterator[Row]:
    known = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, row {number} is not JSON, one object per line: {reason(error)}") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}, row {number} is {record!r:.40}, but must be a JSON object")
        if not known:
            _find(path, columns, list(record), hint)
            known = True
        values = [record.get(name) for name in columns]
        for name, value in zip(columns, values, strict=True):
            if isinstance(value, dict | list):
                raise UserError(f"{path}, row {number}: {name} is {value!r:.40}, but must be text or a number")
        yield number, [value if isinstance(value, str | None) else json.dumps(value) for value in values]


def _strings(path: Path, numbers: NDArray[np.int64], name: str, values: tuple[str | None, ...]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        row = next(n for n, value in zip(numbers, values, strict=True) if value and not _is_unicode(value))
        raise UserError(f"{path}, row {row}: {name} is not UTF-8; write it anew in UTF-8") from None


def _find(path: Path, columns: list[str], names: list[str], hint: str) -> list[int]:
    """Return where the wanted columns are among a file's; raise UserError unless each is there once."""
    if not all(map(_is_unicode, names)):
        raise UserError(f"{path}: the names of its columns are not UTF-8; write it anew in UTF-8")
    missing = [name for name in columns if name not in names]
    if missing:
        listed = ", ".join(map(shown, names))
        raise UserError(f"{path} has no column {', '.join(missing)}: its columns are {listed}{hint}")
    twice = [name for name in columns if names.count(name) > 1]
    if twice:
        raise UserError(f"{path} has the column {twice[0]} twice: give each a name of its own")
    return [names.index(name) for name in columns]


def shown(name: str) -> str:
    """Return a name or a label as an error shows it: on one line, and not all of what turns out to be a review."""
    return name[:40] if name.isprintable() and name.strip() else repr(name[:40])


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
