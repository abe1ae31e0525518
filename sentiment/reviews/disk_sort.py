"""Sort tables of any size by id: rows go into buckets on disk, each of which is then sorted in memory.

Whatever the number of reviews, one bucket and POOL bytes are in memory, and one file is open at a time.
"""

import shutil
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from sentiment.reviews.selection import first_of_each, places, tidy

SIZE = 50_000
"""Reviews per bucket, and per row group of what is written."""
POOL = 64 << 20
"""Bytes of rows that are gathered before they go into their buckets."""
MOST_BYTES = 1 << 30
"""Of a table that is read, as a column of strings holds up to twice that."""


def write_buckets(rows: Iterable[pa.Table], splits: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write selected rows (see `table.select`) to folder/SPLIT/BUCKET.arrow, SPLIT being the one that has their id."""
    for pool in _pools(rows):
        gathered = first_of_each(pool)
        ids = gathered["id"].to_numpy()
        for name, reviews in splits.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            buckets = places(ids, reviews) // SIZE
            own = gathered.filter(pa.array(buckets >= 0))
            numbers, starts = np.unique(buckets[buckets >= 0], return_index=True)
            for number, (start, stop) in zip(numbers, pairwise([*starts, len(own)]), strict=True):
                _append(folder / name / f"{number:06}.arrow", own.slice(start, stop - start))
    # Arrow holds on to freed memory: after millions of rows some 0.2 GB, which the next step can use.
    pa.default_memory_pool().release_unused()


def _pools(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    pool: list[pa.Table] = []
    size = 0
    for table in tables:
        pool.append(table)
        size += table.nbytes
        if size >= POOL:
            yield pa.concat_tables(pool)
            pool, size = [], 0
    if pool:
        yield pa.concat_tables(pool)


def _append(path: Path, table: pa.Table) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with path.open("ab") as file, pa.ipc.new_stream(file, table.schema, options=options) as writer:
        writer.write_table(table)


def _read(path: Path) -> Iterator[pa.Table]:
    """Yield the tables that were appended to a bucket."""
    with path.open("rb") as file:
        while file.peek(1):
            with pa.ipc.open_stream(file) as stream:
                yield stream.read_all()


def rewrite_buckets(splits: dict[str, pd.DataFrame], folder: Path) -> None:
    """Sort what is in the splits' buckets into buckets anew, as reviews changed from one of the splits to another."""

    def rows() -> Iterator[pa.Table]:
        for name in splits:
            for path in sorted((folder / name).iterdir()):
                yield from _read(path)

    write_buckets(rows(), splits, folder / "rewritten")
    for name in splits:
        shutil.rmtree(folder / name)
        (folder / "rewritten" / name).rename(folder / name)


def read_sorted(folder: Path, split: str, title: str) -> Iterator[pa.Table]:
    """Yield a split's reviews (id, text, label) sorted by id and without duplicates, at most SIZE at a time."""
    for path in tqdm(sorted((folder / split).iterdir()), desc=f"{title} {split}", unit="bucket", delay=1):
        yield from _pieces(tidy(pa.concat_tables(_read(path))))


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of a table, whose texts become strings, MOST_BYTES at most at a time."""
    schema = table.schema.set(1, pa.field("text", pa.string()))
    start = 0
    while start < len(table):
        rows = len(table) - start
        while rows > 1 and table.slice(start, rows).nbytes > MOST_BYTES:
            rows = (rows + 1) // 2
        # Copied: what is only sliced still counts from the table's first byte.
        yield table.take(pa.array(np.arange(start, start + rows))).cast(schema)
        start += rows
