"""Review tables, read and checked: `text` (string) and `label` (int8; 1 positive, 0 negative)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tqdm import tqdm

from sentiment.core.errors import UserError
from sentiment.core.labels import LABELS
from sentiment.core.parquet import BATCH, iter_parquet, open_parquet
from sentiment.core.texts import MAX_CHARACTERS

SCHEMA = pa.schema([("text", pa.string()), ("label", pa.int8())])


def read_reviews(path: Path | str) -> Iterator[pa.Table]:
    """Yield a file's reviews, checked, BATCH at a time; raise UserError as `read_parquet` and `check` do."""
    with open_parquet(path, SCHEMA.names) as file:
        total = file.metadata.num_rows
        if not total:
            check(file.schema_arrow.empty_table(), str(path))
    with tqdm(total=total, desc=str(path), unit=" rows") as bar:
        for batch in iter_parquet(path, SCHEMA.names, BATCH):
            yield check(pa.Table.from_batches([batch]), str(path), np.arange(bar.n, bar.n + batch.num_rows))
            bar.update(batch.num_rows)


def check(table: pa.Table, place: str, rows: NDArray[np.integer] | None = None) -> pa.Table:
    """Return the table in SCHEMA's types; raise UserError naming `place`, the first bad row and what is legal.

    `rows` are the numbers of the table's rows in their file, if they don't start at 0.
    Refused: no rows, text that isn't string, labels other than 0 and 1, nulls, a text over MAX_CHARACTERS.
    """
    if table.num_rows == 0:
        raise UserError(f"{place} has no rows: at least one review of each label is needed")
    rows = np.arange(table.num_rows) if rows is None else rows
    text, label = table["text"].combine_chunks(), table["label"].combine_chunks()
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        raise UserError(f"{place}: column text is of type {text.type}, but must be string")
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        raw = text.cast(pa.binary()).to_pylist()
        row = next(i for i, value in enumerate(raw) if value and value.decode(errors="replace").encode() != value)
        raise UserError(f"{place}, row {rows[row]}: text is not UTF-8; write it anew in UTF-8") from None
    for name, column in (("text", text), ("label", label)):
        if column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            raise UserError(f"{place}, row {rows[row]}: {name} is null; remove the row or fill it in")
    if not pa.types.is_integer(label.type):
        raise UserError(f"{place}: column label is of type {label.type}, but must be integer, 0 negative or 1 positive")
    legal = pc.is_in(label, pa.array(sorted(LABELS), label.type))
    if not pc.all(legal).as_py():
        row = pc.index(legal, False).as_py()
        raise UserError(f"{place}, row {rows[row]}: label is {label[row]}, but must be 0 (negative) or 1 (positive)")
    lengths = pc.utf8_length(text)
    longest = pc.max(lengths).as_py()
    if longest > MAX_CHARACTERS:
        row = pc.index(lengths, longest).as_py()
        raise UserError(
            f"{place}, row {rows[row]}: the text has {longest:,} characters, "
            f"but a review has at most {MAX_CHARACTERS:,}: remove the row or cut it"
        )
    return pa.table({"text": text.cast(pa.string()), "label": label.cast(pa.int8())})
