"""Which reviews of a table are used: what can be, what is drawn, and their texts.

A review's `id` is a hash of its text with case and blanks normalized, so that two reviews that differ in nothing else
are one. A table is read twice, a batch at a time. `survey` finds out which reviews there are; what is drawn and split
are only their ids and labels, 9 bytes a review. `select` then picks out the chosen ones' texts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sentiment.core.errors import UserError
from sentiment.core.labels import LABELS
from sentiment.core.params import Cleaning
from sentiment.text.cleaning import clean

if TYPE_CHECKING:
    import pandas as pd


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
    """What a table holds: the id of every row, and the reviews that can be used.

    `ids` are uint64 [rows], in the table's order. `usable` has a row per review: id (uint64) and label (int8), sorted
    by id, so that the order of the table's rows does not matter. `counts` are the rows that were `read` and those that
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

    `tables` are those that were surveyed, `ids` what the survey found. Duplicates are still among the rows: see `tidy`.
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


def first_of_each(rows: pa.Table) -> pa.Table:
    """Sort selected rows by id, and keep one of each; texts become of a type that has no limit to their sum."""
    rows = rows.set_column(1, "text", rows["text"].cast(pa.large_string()))
    rows = rows.sort_by([("id", "ascending"), ("text", "ascending")])
    ids = rows["id"].to_numpy()
    return rows.filter(pa.array(np.diff(ids, prepend=~ids[:1]) != 0)).combine_chunks()


def tidy(rows: pa.Table) -> pa.Table:
    """Return what `first_of_each` does, with the ids as 16 hex digits."""
    rows = first_of_each(rows)
    return rows.set_column(0, "id", pa.array([f"{key:016x}" for key in rows["id"].to_pylist()], pa.string()))


def draw(reviews: "pd.DataFrame", size: int, salt: str) -> "pd.DataFrame":
    """Draw `size` reviews, stratified by label, without replacement.

    Each review's place in the queue is a hash of `salt` and its id; the order of rows and other reviews don't move it.
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
    """Raise UserError unless there are at least two reviews of each label, the least that training and scoring need."""
    for label, name in LABELS.items():
        count = int((reviews.label == label).sum())
        if count < 2:
            raise UserError(f"{place} needs at least 2 {name} reviews, but has {count}: {remedy}")
