"""From a catalog entry to a checked review table."""

import pyarrow as pa
import pyarrow.compute as pc

from sentiment.catalog import DatasetEntry, SplitName
from sentiment.errors import UserError
from sentiment.reviews import check, read_parquet
from sentiment.sources import locate


def load_split(entry: DatasetEntry, split: SplitName) -> pa.Table:
    """Return a split's review table (see reviews.SCHEMA); raise UserError when it isn't what the catalog says it is."""
    wanted = entry.splits[split]
    path = locate(entry.source, wanted.file, entry.files[wanted.file], "dataset")
    table = read_parquet(path, [entry.text, entry.label, *wanted.where])
    for column, value in wanted.where.items():
        table = table.filter(pc.equal(table[column], value))
    place = f"{path} ({split})"
    if table.num_rows != wanted.rows:
        raise UserError(
            f"{place} has {table.num_rows:,} rows, but catalog.yaml expects {wanted.rows:,}: "
            "correct the entry if the file is the right one"
        )
    return check(pa.table({"text": table[entry.text], "label": _mapped(table[entry.label], entry, place)}), place)


def _mapped(column: pa.ChunkedArray, entry: DatasetEntry, place: str) -> pa.ChunkedArray:
    """Map the source's labels to 0 and 1; leave nulls to `check`."""
    known = pa.array(entry.labels, column.type)
    places = pc.index_in(column, known)
    unknown = pc.and_(pc.is_null(places), pc.is_valid(column))
    if pc.any(unknown).as_py():
        seen = sorted({str(value) for value in column.filter(unknown).unique().to_pylist()})
        raise UserError(
            f"{place}: column {entry.label} has {', '.join(seen[:5])}, but catalog.yaml's labels are "
            f"{', '.join(map(str, entry.labels))}"
        )
    return pc.take(pa.array(entry.labels.values(), pa.int8()), places)
