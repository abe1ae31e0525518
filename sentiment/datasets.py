"""From a catalog entry to a checked review table."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sentiment.catalog import DatasetEntry, SplitName
from sentiment.errors import UserError
from sentiment.reviews import check, read_parquet
from sentiment.sources import locate_all


def load_split(entry: DatasetEntry, split: SplitName) -> pa.Table:
    """Return a split's review table (see reviews.SCHEMA); raise UserError when it isn't what the catalog says it is."""
    wanted = entry.splits[split]
    path = locate_all(entry.source, {wanted.file: entry.files[wanted.file]}, "dataset")[wanted.file]
    table = read_parquet(path, [entry.text, entry.label, *wanted.where])
    place = f"{path} ({split})"
    rows = np.arange(table.num_rows)
    for column, value in wanted.where.items():
        if not pa.types.is_string(table[column].type):
            raise UserError(f"{place}: column {column} is of type {table[column].type}, but must be string")
        chosen = pc.fill_null(pc.equal(table[column], value), False)
        table, rows = table.filter(chosen), rows[chosen.to_numpy()]
    if table.num_rows != wanted.rows:
        raise UserError(
            f"{place} has {table.num_rows:,} rows, but catalog.yaml expects {wanted.rows:,}: "
            "correct the entry if the file is the right one"
        )
    labels = _mapped(table[entry.label], entry, place)
    return check(pa.table({"text": table[entry.text], "label": labels}), place, rows)


def _mapped(column: pa.ChunkedArray, entry: DatasetEntry, place: str) -> pa.ChunkedArray:
    """Map the source's labels to 0 and 1; leave nulls to `check`."""
    legal = f"catalog.yaml's labels are {', '.join(map(str, entry.labels))}"
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise UserError(f"{place}: column {entry.label} is of type {column.type}, but {legal}")
    try:
        column = column.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise UserError(
            f"{place}: column {entry.label} has other values than whole numbers ({error}), but {legal}"
        ) from None
    places = pc.index_in(column, pa.array(entry.labels, pa.int64()))
    unknown = pc.and_(pc.is_null(places), pc.is_valid(column))
    if pc.any(unknown).as_py():
        seen = sorted(column.filter(unknown).unique().to_pylist())
        raise UserError(f"{place}: column {entry.label} has {', '.join(map(str, seen[:5]))}, but {legal}")
    return pc.take(pa.array(entry.labels.values(), pa.int8()), places)
