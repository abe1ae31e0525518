"""Parquet files: written so that damage is noticed, read whole, in batches or mapped into memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.core import processes
from sentiment.core.errors import UserError, reason
from sentiment.core.files import replacing

BATCH = 8192
WRITING = {"compression": "zstd", "write_page_checksum": True}
"""How every parquet file is written: a bit that flips on the disk or in DVC's cache is noticed when it is read."""
ANEW = "restore it, or remove it for dvc repro to make it anew; make cache looks for damage in DVC's cache"
# Without pre-buffering, the reader holds a few pages of a column at a time, not a whole row group.
READING: dict[str, Any] = {"page_checksum_verification": True, "pre_buffer": False, "buffer_size": 1 << 20}


@contextmanager
def whole_parquet(path: Path | str, remedy: str = ANEW) -> Iterator[None]:
    """Turn what a reader raises for a damaged parquet file into a UserError that ends with the remedy."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk is full, say: the file is not at fault
        raise UserError(
            f"{path} is not a whole parquet file (truncated, or another format): {reason(error)}; {remedy}"
        ) from None


@contextmanager
def open_parquet(path: Path | str, columns: list[str]) -> Iterator[pq.ParquetFile]:
    """Yield the parquet file; raise UserError when it is missing, damaged or lacks one of the columns."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is missing: dvc repro makes it, or give the path of a parquet file that exists")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: give a parquet file with the columns {', '.join(columns)}")
    with whole_parquet(path), pq.ParquetFile(path, **READING) as file:
        names = file.schema_arrow.names
        missing = [name for name in columns if name not in names]
        if missing:
            raise UserError(f"{path} has no column {', '.join(missing)}: its columns are {', '.join(names)}")
        twice = [name for name in columns if names.count(name) > 1]
        if twice:
            raise UserError(f"{path} has the column {twice[0]} twice: give each a name of its own")
        yield file


def read_parquet(path: Path | str, columns: list[str]) -> pa.Table:
    """Read the named columns of a parquet file; raise UserError when it is missing, damaged or lacks one of them."""
    with open_parquet(path, columns) as file:
        return file.read(columns)


def count_rows(path: Path | str, columns: list[str]) -> int:
    """Return how many rows a parquet file says it has; raise UserError as `read_parquet` does."""
    with open_parquet(path, columns) as file:
        return file.metadata.num_rows


def iter_parquet(path: Path | str, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the named columns, at most so many rows at a time; raise UserError as `read_parquet` does."""
    with open_parquet(path, columns) as file:
        read = 0
        for batch in file.iter_batches(rows, columns=columns):
            read += batch.num_rows
            yield batch.select(columns)
        if read != file.metadata.num_rows:
            raise UserError(
                f"{path} is not a whole parquet file: it has {read:,} of {file.metadata.num_rows:,} rows; {ANEW}"
            )


def map_parquet(path: Path | str, columns: list[str], copy: Path) -> pa.Table:
    """Read as `read_parquet` does, but unpack the columns into the file `copy` and map it into memory.

    Memory then does not grow with the rows, and several processes share it. The copy must stay as long as the table is
    used, and Windows lets nobody remove it before.
    """
    processes.by_main(lambda: _unpack(path, columns, copy))
    return pa.ipc.open_file(pa.memory_map(str(copy))).read_all()


def _unpack(path: Path | str, columns: list[str], copy: Path) -> None:
    with open_parquet(path, columns) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])
    # Given a name instead, Arrow's writer would leave the file open, which Windows then doesn't rename.
    with (
        replacing(copy) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for batch in iter_parquet(path, columns, BATCH):
            writer.write_batch(batch)


def regroup(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yield the same rows, so many at a time: the bytes written then do not depend on how their source was cut."""
    pending: list[pa.Table] = []
    count = 0
    for table in tables:
        pending.append(table)
        count += table.num_rows
        while count >= rows:
            whole = pa.concat_tables(pending)
            yield whole.slice(0, rows).combine_chunks()
            pending = [whole.slice(rows)]
            count -= rows
    if count:
        yield pa.concat_tables(pending).combine_chunks()


def write_parquet(path: Path | str, table: pa.Table) -> None:
    """Write the table without schema metadata, so that equal tables give equal bytes."""
    plain = table.replace_schema_metadata(None)
    write_batches(path, [plain], plain.schema)


def write_batches(path: Path | str, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables of this schema one after another, each as a row group, as `write_parquet` writes one."""
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, **WRITING) as writer:
        for table in tables:
            writer.write_table(table)
