"""Reviews on their way to token ids: the same rows whatever the batches and processes, and never many in memory."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.core.parquet import write_parquet
from sentiment.text import encoded_rows
from sentiment.text.encoded_rows import (
    COLUMNS,
    SCHEMA,
    Summary,
    count_reviews,
    rows_in_parts,
    rows_in_sentences,
    write_encoded,
)
from sentiment.text.encoding import Encoder
from sentiment.text.sentences import parts
from sentiment.text.spelling import Spelled

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TEXTS = st.text("abc.! 👍", max_size=12)


@pytest.fixture(scope="session")
def encode(tokenizer: "PreTrainedTokenizerFast", params_with: Callable[..., Params]) -> Encoder:
    return Encoder(tokenizer, params_with(tokenize={"max_length": 8}).tokenize, {"👍": "good"})


def reviews_of(texts: list[str]) -> pa.Table:
    ids = pa.array([f"{row:016x}" for row in range(len(texts))], pa.string())
    return pa.table({"id": ids, "text": texts, "label": pa.array([row % 2 for row in range(len(texts))], pa.int8())})


def write_reviews(path: Path, texts: list[str], rows_per_group: int = 1000) -> None:
    pq.write_table(reviews_of(texts), path, row_group_size=rows_per_group)


def expected(texts: list[str], counts: list[int], encode: Encoder) -> pa.Table:
    """Encode piece by piece what the module encodes in batches."""
    rows = []
    for count in counts:
        for review in reviews_of(texts).to_pylist():
            for encoded in encode(parts(review["text"], count)):
                found = {"input_ids": encoded.input_ids, "tokens": encoded.tokens}
                rows.append({"id": review["id"], "label": review["label"], **found})
    return pa.Table.from_pylist(rows, SCHEMA)


@settings(max_examples=30)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=12),
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    sizes=st.tuples(*[st.integers(1, 13)] * 3),
)
def test_rows_are_the_same_however_the_reviews_are_cut_into_row_groups_and_batches(
    tmp_path_factory: pytest.TempPathFactory,
    encode: Encoder,
    texts: list[str],
    counts: list[int],
    sizes: tuple[int, int, int],
) -> None:
    folder = tmp_path_factory.mktemp("encoded")
    rows_per_group, chunk, rows = sizes
    written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoded_rows, "ROWS", rows)
        for cut in (1000, rows_per_group):
            write_reviews(folder / "reviews.parquet", texts, cut)
            batches = rows_in_parts(folder / "reviews.parquet", counts)
            found = write_encoded(folder / "rows.parquet", batches, len(texts) * len(counts), encode, "rows")
            written.append((folder / "rows.parquet").read_bytes())
            patch.setattr(encoded_rows, "CHUNK", chunk)

    table = pq.read_table(folder / "rows.parquet")
    assert written[0] == written[1]
    assert table.equals(expected(texts, counts, encode))
    assert pq.ParquetFile(folder / "rows.parquet").metadata.row_group(0).num_rows == min(rows, len(table))
    assert found.reviews == len(texts) * len(counts)
    assert sorted(found.tokens.elements()) == sorted(table["tokens"].to_pylist())
    every = (encoded.spelled for count in counts for text in texts for encoded in encode(parts(text, count)))
    assert found.spelled == Spelled.sum(every)
    assert count_reviews(folder / "rows.parquet") == len(texts)


def test_row_groups_hold_fewer_rows_where_rows_are_long(
    tmp_path: Path, encode: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded_rows, "IDS", 3 * encode.params.max_length)
    write_reviews(tmp_path / "reviews.parquet", ["a good film"] * 8)
    write_encoded(tmp_path / "rows.parquet", rows_in_parts(tmp_path / "reviews.parquet", [1]), 8, encode, "rows")

    written = pq.ParquetFile(tmp_path / "rows.parquet").metadata
    assert [written.row_group(group).num_rows for group in range(written.num_row_groups)] == [3, 3, 2]


def encoded_by(processes: int, folder: Path, encode: Encoder, patch: pytest.MonkeyPatch) -> tuple[bytes, Summary]:
    patch.setattr(encoded_rows, "WORTH_A_PROCESS", 1)
    patch.setattr(encoded_rows, "CHUNK", 7)
    patch.setattr(encoded_rows, "cores", lambda: processes)
    batches = rows_in_parts(folder / "reviews.parquet", [1, 2])
    found = write_encoded(folder / "rows.parquet", batches, 100, encode, "rows")
    return (folder / "rows.parquet").read_bytes(), found


def test_two_processes_write_the_bytes_of_one(tmp_path: Path, encode: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"Film {row}. A [SEP] good one! 👍" for row in range(50)]
    write_reviews(tmp_path / "reviews.parquet", texts)

    assert encoded_by(2, tmp_path, encode, monkeypatch) == encoded_by(1, tmp_path, encode, monkeypatch)


def test_a_worker_that_is_killed_leaves_no_file(
    tmp_path: Path, encode: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded_rows, "encode_rows", kill)
    write_reviews(tmp_path / "reviews.parquet", ["good"] * 50)

    with pytest.raises(UserError, match=r"^one of 2 worker processes was killed"):
        encoded_by(2, tmp_path, encode, monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.parquet"]


def kill(reviews: object, encode: object) -> None:
    signal.raise_signal(signal.SIGKILL)


def test_what_is_in_memory_does_not_grow_with_the_reviews(encode: Encoder, tmp_path: Path) -> None:
    batch = reviews_of(["a very good film and its cast. " * 4] * 100).to_batches()[0]

    def most_allocated(batches: int, patch: pytest.MonkeyPatch) -> int:
        patch.setattr(encoded_rows, "ROWS", 500)
        before = pa.total_allocated_bytes()
        most = 0

        def reviews() -> Iterator[tuple[pa.RecordBatch, Callable[[str], list[str]]]]:
            nonlocal most
            for _ in range(batches):
                yield batch, lambda text: [text]
                most = max(most, pa.total_allocated_bytes() - before)

        write_encoded(tmp_path / "rows.parquet", reviews(), 100 * batches, encode, "rows")
        return most

    with pytest.MonkeyPatch.context() as patch:
        few, many = most_allocated(15, patch), most_allocated(150, patch)
    assert many < 1.2 * few


def test_sentences_are_those_of_the_reviews_asked_for(
    tmp_path: Path, encode: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded_rows, "CHUNK", 2)
    write_reviews(tmp_path / "reviews.parquet", [f"Begin {row}. End!" for row in range(9)])
    pieces = [
        encoded_rows.cut_up(*reviews)
        for reviews in rows_in_sentences(tmp_path / "reviews.parquet", np.array([0, 4, 5]))
    ]

    rows = pa.Table.from_batches(pieces).to_pydict()
    assert rows["text"] == ["Begin 0.", "End!", "Begin 4.", "End!", "Begin 5.", "End!"]
    assert rows["label"] == [0, 0, 0, 0, 1, 1]


def test_a_file_without_one_of_the_columns_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "reviews.parquet", pa.table({"id": ["x"], "text": ["good"]}))
    with pytest.raises(UserError, match=r"has no column label: its columns are id, text$"):
        next(rows_in_parts(tmp_path / "reviews.parquet", [1]))
    assert COLUMNS == ["id", "text", "label"]


@pytest.mark.parametrize(
    ("ids", "reviews"), [("a", 1), ("aa", 1), ("aab", 2), ("abcabbc", 3), ("abab", 2), ("abaabb", 2)]
)
def test_reviews_are_counted_once_whatever_their_parts(tmp_path: Path, ids: str, reviews: int) -> None:
    write_parquet(tmp_path / "rows.parquet", pa.table({"id": list(ids)}))
    assert count_reviews(tmp_path / "rows.parquet") == reviews
