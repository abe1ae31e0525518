"""From rows of reviews to rows of token ids, a batch at a time: what is in memory does not grow with the rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from sentiment.core.parquet import BATCH, iter_parquet, regroup, write_batches
from sentiment.core.workers import cores, mapping
from sentiment.text.encoding import CHUNK, BareEncoder, Encoder
from sentiment.text.sentences import parts, sentences
from sentiment.text.spelling import Spelled

COLUMNS = ["id", "text", "label"]
SCHEMA = pa.schema(
    [("id", pa.string()), ("label", pa.int8()), ("input_ids", pa.list_(pa.int32())), ("tokens", pa.int32())]
)
ROWS, IDS = 1 << 17, 1 << 25
"""The most rows of a row group, and the most token ids, of which one that is written takes twice 128 MB."""
WORTH_A_PROCESS = 25_000
"""Reviews that take one process some seconds; it starts in one or two."""
MOST_PROCESSES = 24
"""The process that reads and writes keeps up with some thirty that encode 4,000 rows a second each."""

Cut = Callable[[str], list[str]]


@dataclass
class Summary:
    """How many reviews were encoded, how often each number of tokens before truncation occurs, and their spelling."""

    reviews: int = 0
    tokens: Counter[int] = field(default_factory=Counter)
    spelled: Spelled = field(default_factory=Spelled)

    def add(self, other: "Summary") -> None:
        self.reviews += other.reviews
        self.tokens.update(other.tokens)
        self.spelled += other.spelled


def rows_in_parts(path: Path, counts: Iterable[int]) -> Iterator[tuple[pa.RecordBatch, Cut]]:
    """Yield a file's reviews once for each count, CHUNK at a time, with what cuts their texts into as many parts."""
    for count in counts:
        for batch in iter_parquet(path, COLUMNS, CHUNK):
            yield batch, partial(parts, count=count)


def rows_in_sentences(path: Path, rows: NDArray[np.integer]) -> Iterator[tuple[pa.RecordBatch, Cut]]:
    """Yield those of a file's reviews that have these numbers, in ascending order, with what cuts their sentences."""
    start = 0
    for batch in iter_parquet(path, COLUMNS, CHUNK):
        own = rows[(rows >= start) & (rows < start + batch.num_rows)]
        if len(own):
            yield batch.take(pa.array(own - start)), sentences
        start += batch.num_rows


def cut_up(reviews: pa.RecordBatch, cut: Cut) -> pa.RecordBatch:
    """Return the reviews (id, text, label) with a row for each piece that `cut` makes of their texts."""
    texts = [cut(text) for text in reviews["text"].to_pylist()]
    rows = np.repeat(np.arange(len(texts)), [len(pieces) for pieces in texts])
    pieces = pa.array(chain.from_iterable(texts), pa.string())
    return reviews.take(pa.array(rows)).set_column(1, reviews.schema.field("text"), pieces)


def encode_rows(reviews: tuple[pa.RecordBatch, Cut], encode: Encoder | BareEncoder) -> tuple[pa.Table, Summary]:
    """Return the rows of SCHEMA that the reviews give once they are cut up, and what they add up to."""
    rows = cut_up(*reviews)
    encoded = list(encode(rows["text"].to_pylist()))
    columns = {
        "id": rows["id"],
        "label": rows["label"],
        "input_ids": [review.input_ids for review in encoded],
        "tokens": [review.tokens for review in encoded],
    }
    spelled = Spelled.sum(review.spelled for review in encoded)
    return pa.table(columns, SCHEMA), Summary(reviews[0].num_rows, Counter(columns["tokens"]), spelled)


def write_encoded(
    path: Path, reviews: Iterable[tuple[pa.RecordBatch, Cut]], total: int, encode: Encoder, title: str
) -> Summary:
    """Write the encoded rows of `total` reviews, in order, on every core where that pays; return what they add up to.

    The bytes depend neither on the number of cores nor on how the reviews come in batches.
    """
    summary = Summary()
    processes = max(1, min(cores(), total // WORTH_A_PROCESS, MOST_PROCESSES))
    encoder = encode.bare() if encode.tokenizer.is_fast else encode
    with mapping(partial(encode_rows, encode=encoder), processes) as encode_all:

        def tables() -> Iterator[pa.Table]:
            with tqdm(total=total, desc=title, unit="review") as bar:
                for table, found in encode_all(reviews):
                    summary.add(found)
                    bar.update(found.reviews)
                    yield table

        write_batches(path, regroup(tables(), max(1, min(ROWS, IDS // encode.params.max_length))), SCHEMA)
    return summary


def count_reviews(path: Path) -> int:
    """Return the number of reviews in a file of encoded rows, where each may have several, once for each of its parts.

    Reviews are sorted by id, so that they begin anew with the first id that is less than the one before.
    """
    count, last = 0, ""
    for batch in iter_parquet(path, ["id"], BATCH):
        for key in batch["id"].to_pylist():
            if key < last:
                return count
            count += key != last
            last = key
    return count
