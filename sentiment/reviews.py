"""Review tables: reading, checking, cleaning, de-duplicating and splitting them, whatever their size.

A review table has `text` (string) and `label` (int8; 1 positive, 0 negative). A review's `id` is a hash of its text
with case and blanks normalized, so that two reviews that differ in nothing else are one.

A table is read twice, a batch at a time. `survey` finds out which reviews there are; what is drawn and split are only
their ids and labels, 9 bytes a review. `select` then picks out the chosen ones' texts.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from sentiment.errors import UserError, reason
from sentiment.files import replacing
from sentiment.params import Cleaning

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = pa.schema([("text", pa.string()), ("label", pa.int8())])
LABELS = {0: "negative", 1: "positive"}
MAX_CHARACTERS = 1_000_000
BATCH = 8192

WRITING = {"compression": "zstd", "write_page_checksum": True}
"""How every parquet file is written: a bit that flips on the disk or in DVC's cache is noticed when it is read."""
ANEW = "restore it, or remove it for dvc repro to make it anew; make cache looks for damage in DVC's cache"
# Without its buffer ahead, the reader holds a few pages of a column at a time, and not a whole row group.
READING: dict[str, Any] = {"page_checksum_verification": True, "pre_buffer": False, "buffer_size": 1 << 20}

LINE_BREAKS = r"(?i)\s*(<br\s*/?>\s*)+"
CONTROL_CHARACTERS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"


@contextmanager
def whole_parquet(path: Path | str) -> Iterator[None]:
    """Turn what a reader raises for a damaged parquet file into a UserError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk is full, say: no fault of the file's
        raise UserError(
            f"{path} is not a whole parquet file (truncated, or another format): {reason(error)}; {ANEW}"
        ) from None


@contextmanager
def _opened(path: Path | str, columns: list[str]) -> Iterator[pq.ParquetFile]:
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
    with _opened(path, columns) as file:
        return file.read(columns)


def read_reviews(path: Path | str) -> Iterator[pa.Table]:
    """Yield a file's reviews, checked, BATCH at a time; raise UserError as `read_parquet` and `check` do."""
    with _opened(path, SCHEMA.names) as file, tqdm(total=file.metadata.num_rows, desc=str(path), unit=" rows") as bar:
        if not bar.total:
            check(file.schema_arrow.empty_table(), str(path))
        for batch in file.iter_batches(BATCH, columns=SCHEMA.names):
            yield check(pa.Table.from_batches([batch]), str(path), np.arange(bar.n, bar.n + batch.num_rows))
            bar.update(batch.num_rows)


def map_parquet(path: Path | str, columns: list[str], copy: Path) -> pa.Table:
    """As read_parquet, but unpack the columns into a file, `copy`, whose pages are read when they are used.

    So memory does not grow with the rows. The copy must stay as long as the table is used.
    """
    with _opened(path, columns) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])
        with replacing(copy) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
            for batch in file.iter_batches(BATCH, columns=columns):
                writer.write_batch(batch.select(columns))
    return pa.ipc.open_file(pa.memory_map(str(copy))).read_all()


def write_parquet(path: Path | str, table: pa.Table) -> None:
    """Write the table without schema metadata, so that equal tables give equal bytes."""
    plain = table.replace_schema_metadata(None)
    write_batches(path, [plain], plain.schema)


def write_batches(path: Path | str, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write tables of this schema one after another, each as a row group, as `write_parquet` writes one."""
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, **WRITING) as writer:
        for table in tables:
            writer.write_table(table)


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


def _digest(text: str) -> bytes:
    return blake2b(" ".join(text.casefold().split()).encode(), digest_size=8).digest()


def content_id(text: str) -> str:
    """Return 16 hex digits that texts share if they differ only in case and blanks."""
    return _digest(text).hex()


def content_ids(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Return the texts' ids as numbers."""
    return np.frombuffer(b"".join(map(_digest, texts)), ">u8").astype(np.uint64)


@dataclass(frozen=True)
class Survey:
    """What there is in a table: of every row its id, and the reviews that can be used.

    `ids` uint64 [rows], in the table's order. `usable` has a row per review, sorted by id, so that the order of the
    table's rows has no influence: id (uint64) and label (int8). `counts` are the rows that were `read` and those that
    are dropped: `empty` (no text left), `contradictory` (equal texts with both labels, all dropped), `duplicate`.
    """

    ids: NDArray[np.uint64]
    usable: "pd.DataFrame"
    counts: dict[str, int]


def survey(tables: Iterable[pa.Table], cleaning: Cleaning) -> Survey:
    """Clean the texts of a checked table, given in one or more parts, and find out what can be used."""
    import pandas as pd

    parts = []
    for table in tables:
        text = clean(table["text"].combine_chunks(), cleaning)
        filled = pc.not_equal(text, "").to_numpy(zero_copy_only=False)
        parts.append((content_ids(text.to_pylist()), table["label"].to_numpy(), filled))
    ids, labels, filled = (np.concatenate(column) for column in zip(*parts, strict=True))
    unique, places, sizes = np.unique(ids[filled], return_inverse=True, return_counts=True)
    positives = np.bincount(places, labels[filled], minlength=len(unique))
    agreeing = (positives == 0) | (positives == sizes)
    usable = pd.DataFrame({"id": unique[agreeing], "label": (positives[agreeing] > 0).astype(np.int8)})
    counts = {
        "read": len(ids),
        "empty": int((~filled).sum()),
        "contradictory": int(sizes[~agreeing].sum()),
        "duplicate": int((sizes[agreeing] - 1).sum()),
    }
    return Survey(ids, usable, counts)


def places(ids: NDArray[np.uint64], reviews: "pd.DataFrame") -> NDArray[np.intp]:
    """Return where each id stands in the reviews, which are sorted by id; -1 where it is not among them."""
    sought = reviews.id.to_numpy()
    found = np.searchsorted(sought, ids)
    known = found < len(sought)
    known[known] = sought[found[known]] == ids[known]
    return np.where(known, found, -1)


def select(
    tables: Iterable[pa.Table], ids: NDArray[np.uint64], chosen: "pd.DataFrame", cleaning: Cleaning
) -> Iterator[pa.Table]:
    """Yield the rows whose ids are chosen, with id (uint64), clean text and label, in parts and in the table's order.

    `tables` are those that were surveyed, `ids` what the survey found. Duplicates are among the rows: see `tidy`.
    """
    start = 0
    for table in tables:
        own = ids[start : start + table.num_rows]
        start += table.num_rows
        found = places(own, chosen) >= 0
        if found.any():
            rows = table.filter(pa.array(found))
            text = clean(rows["text"].combine_chunks(), cleaning)
            yield pa.table({"id": own[found], "text": text, "label": rows["label"]}).filter(pc.not_equal(text, ""))


def tidy(rows: pa.Table) -> pa.Table:
    """Sort selected rows by id, keep one of each, and spell the ids as 16 hex digits."""
    rows = rows.sort_by([("id", "ascending"), ("text", "ascending")])
    ids = rows["id"].to_numpy()
    rows = rows.filter(pa.array(np.diff(ids, prepend=~ids[:1]) != 0)).combine_chunks()
    return rows.set_column(0, "id", pa.array([f"{key:016x}" for key in rows["id"].to_pylist()], pa.string()))


def draw(reviews: "pd.DataFrame", size: int, salt: str) -> "pd.DataFrame":
    """Draw `size` reviews, stratified by label, without replacement; the rest keeps out.

    Each review's place in the queue is a hash of `salt` and its id: no order of rows and no other review moves it.
    """
    import pandas as pd

    reviews = reviews.reset_index(drop=True)
    keys = (blake2b(f"{salt}:{key:016x}".encode(), digest_size=8).digest() for key in reviews.id)
    queue = pd.Series(np.fromiter(map(int.from_bytes, keys), np.uint64, len(reviews)))
    positives = round(size * reviews.label.sum() / max(1, len(reviews)))
    chosen = [
        reviews.loc[queue[reviews.label == label].sort_values(kind="stable").index[:count]]
        for label, count in ((0, size - positives), (1, positives))
    ]
    return pd.concat(chosen).sort_values("id", kind="stable").reset_index(drop=True)


def cut(reviews: "pd.DataFrame", size: int | None, salt: str, parameter: str) -> "pd.DataFrame":
    """Return `size` of the reviews, or all where it is None; raise UserError if that is too many."""
    if size is None:
        return reviews
    if size > len(reviews):
        raise UserError(
            f"params.yaml: {parameter} is {size}, but only {len(reviews)} reviews are left to draw from: "
            "lower it, or leave it empty for all"
        )
    return draw(reviews, size, salt)


def without(reviews: "pd.DataFrame", others: "pd.DataFrame") -> "pd.DataFrame":
    """Return the reviews whose id is not among the others'."""
    return reviews[~reviews.id.isin(others.id)].reset_index(drop=True)


def require_both_labels(reviews: "pd.DataFrame", place: str, remedy: str) -> None:
    """Raise UserError unless there are at least two reviews of each label, the least that can be learnt or scored."""
    for label, name in LABELS.items():
        count = int((reviews.label == label).sum())
        if count < 2:
            raise UserError(f"{place} needs at least 2 {name} reviews, but has {count}: {remedy}")
