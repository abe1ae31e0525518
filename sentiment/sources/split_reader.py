"""From the files of a split to one checked parquet file, in memory that does not grow with them."""

from collections.abc import Iterator
from functools import reduce
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from sentiment.core.errors import UserError
from sentiment.core.files import replacing, size_of
from sentiment.core.labels import LABELS
from sentiment.core.parquet import WRITING, regroup
from sentiment.reviews.table import SCHEMA, check
from sentiment.sources.catalog import Condition, DatasetEntry, SplitName
from sentiment.sources.label_reader import DROPPED, LabelReader, declared_labels
from sentiment.tables.asking import as_entry, as_parameter
from sentiment.tables.reader import Reader

ROW_GROUP = 16_384
BLANK_LINE = "\n\n"
"""Joins columns of text: as between a heading and what it heads, and no word or mark that the author didn't write."""


class SplitReader:
    """Reads a split's files once, batch by batch, and counts what it read."""

    def __init__(self, entry: DatasetEntry, split: SplitName, paths: list[Path], *, in_catalog: bool) -> None:
        self.entry, self.split, self.paths = entry, split, paths
        self.rows, self.dropped, self.kept = 0, 0, {0: 0, 1: 0}
        self.key = "catalog.yaml's labels" if in_catalog else "params.yaml's download.labels"
        self.ask = as_entry if in_catalog else as_parameter
        self.hint = "" if in_catalog else "; params.yaml's download.text and download.label say which to read"

    def __iter__(self) -> Iterator[pa.Table]:
        """Yield checked tables in reviews.SCHEMA; raise UserError naming file, row and remedy."""
        entry, where = self.entry, self.entry.splits[self.split].where
        columns = list(dict.fromkeys([*entry.text, entry.label, *chain.from_iterable(where)]))
        labels = entry.labels or declared_labels(self.paths[0], entry.label, self.key)
        read_labels = LabelReader(entry.label, labels, self.key)
        sizes = [size_of(path) for path in self.paths]
        with tqdm(total=sum(sizes), desc=self.split, unit="B", unit_scale=True) as bar:
            for i, path in enumerate(self.paths):
                place = f"{path} ({self.split})"
                table_reader = Reader(
                    path, columns=columns, hint=self.hint, bad_rows="stop", reading=entry, ask=self.ask
                )
                for note in table_reader.notes:
                    bar.write(note)
                for batch in table_reader:
                    table, rows = _choose(batch.table, batch.numbers, where, place)
                    self.rows += table.num_rows
                    label = read_labels(table[entry.label].combine_chunks(), place, rows)
                    bar.update(sum(sizes[:i]) + batch.done - bar.n)
                    if read_labels.first_unknown:
                        continue
                    if label.null_count:
                        row = rows[pc.index(pc.is_null(label), True).as_py()]
                        raise UserError(
                            f"{place}, row {row}: label is null; remove the row or fill it in, or leave such rows out: "
                            f"'': drop in {self.key}"
                        )
                    keep = pc.fill_null(pc.not_equal(label, DROPPED), True)
                    self.dropped += table.num_rows - pc.sum(keep, min_count=0).as_py()
                    text = _join(table, entry.text, place)
                    reviews = pa.table({"text": text, "label": label}).filter(keep)
                    if reviews.num_rows:
                        reviews = check(reviews, place, rows[keep.to_numpy(zero_copy_only=False)])
                        for value in self.kept:
                            self.kept[value] += pc.sum(pc.equal(reviews["label"], value)).as_py()
                        yield reviews
        read_labels.finish()


def write_split(reader: SplitReader, target: Path) -> None:
    """Write what the reader yields, whole or not at all; raise UserError where rows or a label are missing."""
    with replacing(target) as temporary:
        with pq.ParquetWriter(temporary, SCHEMA, **WRITING) as writer:
            for table in regroup(reader, ROW_GROUP):
                writer.write_table(table)
        place = ", ".join(map(str, reader.paths)) + f" ({reader.split})"
        expected = reader.entry.splits[reader.split].rows
        if expected not in {None, reader.rows}:
            raise UserError(
                f"{place} has {reader.rows:,} rows, but catalog.yaml expects {expected:,}: "
                "correct the entry if the file is the right one"
            )
        if not any(reader.kept.values()):
            raise UserError(f"{place} has no rows: at least one review of each label is needed")
        for label, name in LABELS.items():
            if not reader.kept[label]:
                raise UserError(f"{place} has no {name} review: at least one of each label is needed")


def _choose(
    table: pa.Table, rows: NDArray[np.int64], where: list[Condition], place: str
) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the rows that meet one of the conditions, if there are any, and their numbers."""
    if not where:
        return table, rows
    for column in sorted(set(chain.from_iterable(where))):
        _require_text(table, column, place)
    met = (
        reduce(pc.and_, (pc.is_in(table[column], pa.array(values)) for column, values in condition.items()))
        for condition in where
    )
    chosen = reduce(pc.or_, met)
    return table.filter(chosen), rows[chosen.to_numpy()]


def _join(table: pa.Table, columns: list[str], place: str) -> pa.ChunkedArray:
    """Return the text of one column, or of several joined by a blank line, less empty ones; null if all are."""
    for column in columns:
        _require_text(table, column, place)
    if len(columns) == 1:
        return table[columns[0]]

    def join(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.ChunkedArray:
        both = pc.binary_join_element_wise(left, right, BLANK_LINE)
        return pc.if_else(pc.equal(left, ""), right, pc.if_else(pc.equal(right, ""), left, both))

    joined = reduce(join, (pc.fill_null(table[column], "") for column in columns))
    return pc.if_else(pc.is_null(pc.coalesce(*(table[column] for column in columns))), None, joined)


def _require_text(table: pa.Table, column: str, place: str) -> None:
    if not pa.types.is_string(kind := table[column].type):
        raise UserError(f"{place}: column {column} is of type {kind}, but must be string")
