"""Review tables: reading, checking, cleaning, de-duplicating and splitting them.

A review table has `text` (string) and `label` (int8; 1 positive, 0 negative); `prepare` adds `id`, a hash of the
text with case and blanks normalized, so that two reviews that differ in nothing else are one.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sentiment.errors import UserError, reason
from sentiment.files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sentiment.params import Cleaning

SCHEMA = pa.schema([("text", pa.string()), ("label", pa.int8())])
LABELS = {0: "negative", 1: "positive"}
MAX_CHARACTERS = 1_000_000

LINE_BREAKS = r"(?i)\s*(<br\s*/?>\s*)+"
CONTROL_CHARACTERS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"


def read_parquet(path: Path | str, columns: list[str]) -> pa.Table:
    """Read the named columns of a parquet file; raise UserError when it is missing, damaged or lacks one of them."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is missing: dvc repro makes it, or give the path of a parquet file that exists")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty: give a parquet file with the columns {', '.join(columns)}")
    try:
        file = pq.ParquetFile(path)
        missing = [name for name in columns if name not in file.schema_arrow.names]
        if missing:
            raise UserError(
                f"{path} has no column {', '.join(missing)}: its columns are {', '.join(file.schema_arrow.names)}"
            )
        return file.read(columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a whole parquet file (truncated, or another format): {reason(error)}") from None


def write_parquet(path: Path | str, table: pa.Table) -> None:
    """Write the table without schema metadata, so that equal tables give equal bytes."""
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")


def check(table: pa.Table, place: str, rows: NDArray[np.integer] | None = None) -> pa.Table:
    """Return the table in SCHEMA's types; raise UserError naming `place`, the first bad row and what is legal.

    `rows` are the numbers that the table's rows have in their file, where they aren't simply counted from 0.
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


def is_text(value: object) -> bool:
    """Say whether a value is a string that can be written as UTF-8: one without half of a surrogate pair."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))


def clean(text: pa.Array, cleaning: Cleaning) -> pa.Array:
    """Clean an array of strings as the parameters say, and strip blanks from both ends."""
    if cleaning.control_characters:
        text = pc.replace_substring_regex(text, CONTROL_CHARACTERS, " ")
    if cleaning.html_breaks:
        text = pc.replace_substring_regex(text, LINE_BREAKS, " ")
    if cleaning.unicode_nfc:
        text = pc.utf8_normalize(text, "NFC")
    return pc.utf8_trim_whitespace(text)


def content_id(text: str) -> str:
    """Return 16 hex digits that texts share if they differ only in case and blanks."""
    return blake2b(" ".join(text.casefold().split()).encode(), digest_size=8).hexdigest()


def prepare(table: pa.Table, cleaning: Cleaning) -> tuple[pd.DataFrame, dict[str, int]]:
    """Clean a checked table and drop what can't be used; count the dropped by reason.

    Returns the columns id, text, label sorted by id, so that the order of the source's rows has no influence, and the
    counts `empty` (no text left), `contradictory` (equal texts with both labels, all dropped), `duplicate`.
    """
    import pandas as pd

    text = clean(table["text"].combine_chunks(), cleaning)
    reviews = pd.DataFrame({"text": text.to_pandas(), "label": table["label"].to_numpy()})
    filled = reviews[reviews.text != ""]
    reviews = filled.assign(id=filled.text.map(content_id)).sort_values(["id", "text"], kind="stable")
    both = reviews.groupby("id").label.transform("nunique") > 1
    agreeing = reviews[~both]
    unique = agreeing.drop_duplicates("id")
    dropped = {
        "empty": table.num_rows - len(filled),
        "contradictory": int(both.sum()),
        "duplicate": len(agreeing) - len(unique),
    }
    return unique[["id", "text", "label"]].reset_index(drop=True), dropped


def draw(reviews: pd.DataFrame, size: int, salt: str) -> pd.DataFrame:
    """Draw `size` reviews, stratified by label, without replacement; the rest keeps out.

    Each review's place in the queue is a hash of `salt` and its id: no order of rows and no other review moves it.
    """
    import pandas as pd

    reviews = reviews.reset_index(drop=True)
    queue = reviews.id.map(lambda key: blake2b(f"{salt}:{key}".encode(), digest_size=8).digest())
    positives = round(size * reviews.label.sum() / max(1, len(reviews)))
    chosen = [
        reviews.loc[queue[reviews.label == label].sort_values(kind="stable").index[:count]]
        for label, count in ((0, size - positives), (1, positives))
    ]
    return pd.concat(chosen).sort_values("id", kind="stable").reset_index(drop=True)


def cut(reviews: pd.DataFrame, size: int | None, salt: str, parameter: str) -> pd.DataFrame:
    """Return `size` of the reviews, or all where it is None; raise UserError if that is too many."""
    if size is None:
        return reviews
    if size > len(reviews):
        raise UserError(
            f"params.yaml: {parameter} is {size}, but only {len(reviews)} reviews are left to draw from: "
            "lower it, or leave it empty for all"
        )
    return draw(reviews, size, salt)


def without(reviews: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the reviews whose id is not among the others'."""
    return reviews[~reviews.id.isin(others.id)].reset_index(drop=True)


def require_both_labels(reviews: pd.DataFrame, place: str, remedy: str) -> None:
    """Raise UserError unless there are at least two reviews of each label, the least that can be learnt or scored."""
    for label, name in LABELS.items():
        count = int((reviews.label == label).sum())
        if count < 2:
            raise UserError(f"{place} needs at least 2 {name} reviews, but has {count}: {remedy}")


def to_table(reviews: pd.DataFrame) -> pa.Table:
    """Return the reviews as an arrow table: id and text string, label int8."""
    return pa.table(
        {
            "id": pa.array(reviews.id, pa.string()),
            "text": pa.array(reviews.text, pa.string()),
            "label": pa.array(reviews.label, pa.int8()),
        }
    )
