"""Sort tables of any size by id: rows go into buckets on disk, each of which is then sorted in memory."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from sentiment.reviews.selection import places, tidy

SIZE = 50_000
"""Reviews per bucket, and per row group of what is written."""


def write_buckets(rows: Iterable[pa.Table], splits: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write selected rows (see `table.select`) to folder/SPLIT/BUCKET.arrow, SPLIT being the one that has their id."""
    writers: dict[Path, pa.RecordBatchWriter] = {}
    with ExitStack() as stack:
        for table in rows:
            ids = table["id"].to_numpy()
            for name, reviews in splits.items():
                buckets = places(ids, reviews) // SIZE
                for bucket in np.unique(buckets[buckets >= 0]):
                    path = folder / name / f"{bucket:06}.arrow"
                    if path not in writers:
                        path.parent.mkdir(parents=True, exist_ok=True)
                        options = pa.ipc.IpcWriteOptions(compression="zstd")
                        writers[path] = stack.enter_context(pa.ipc.new_stream(path, table.schema, options=options))
                    writers[path].write_table(table.filter(pa.array(buckets == bucket)))
    # Arrow holds on to freed memory: after millions of rows some 0.2 GB, which the next step can use.
    pa.default_memory_pool().release_unused()


def rewrite_buckets(splits: dict[str, pd.DataFrame], folder: Path) -> None:
    """Sort what is in the splits' buckets into buckets anew, as reviews changed from one of the splits to another."""

    def rows() -> Iterator[pa.Table]:
        for name in splits:
            for path in sorted((folder / name).iterdir()):
                with pa.ipc.open_stream(path) as stream:
                    yield stream.read_all()

    write_buckets(rows(), splits, folder / "rewritten")
    for name in splits:
        shutil.rmtree(folder / name)
        (folder / "rewritten" / name).rename(folder / name)


def read_sorted(folder: Path, split: str, title: str) -> Iterator[pa.Table]:
    """Yield a split's reviews (id, text, label) sorted by id and without duplicates, at most SIZE at a time."""
    for path in tqdm(sorted((folder / split).iterdir()), desc=f"{title} {split}", unit="bucket", delay=1):
        with pa.ipc.open_stream(path) as stream:
            yield tidy(stream.read_all())
