"""Tables as nobody should make them: what comes in is read and accounted for, or refused in one line."""

import datetime
import decimal
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.core.params import Cleaning, Params
from sentiment.core.texts import MAX_CHARACTERS
from sentiment.reviews.selection import survey
from sentiment.reviews.table import SCHEMA, read_reviews
from sentiment.sources.catalog import DatasetEntry
from sentiment.sources.split_reader import SplitReader, write_split
from sentiment.text.encoding import Encoder
from stages import subsample
from tests.sentiment.tables.files import WRITERS, put

ROOT = Path(__file__).resolve().parents[3]
EDGES = [
    "\x00",  # NUL
    "\x1f\x7f\x85",  # other control characters
    "\u202eabc\u202c",  # right to left override
    "שלום עולם",
    "مرحبا",
    "\u200b\u200d\ufeff",  # zero width, byte order mark
    "e\u0301\u0323" * 9,  # combining marks, in an order that NFC changes
    "İstanbul straße ǅ",  # letters that change their number when their case is folded
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\U0010ffff\ufffe\ufdd0",  # no characters
    "\ue000",  # private use
    "\r\n\u2028\u2029\v\f",
    '"",""\t\\"',
    "<br /><BR>< br>",
    "[SEP][CLS][PAD]</s><|endoftext|>",
    "NaN",
    "None",
]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.lists(st.sampled_from([*EDGES, "good", "bad", " "]), max_size=6).map("".join),
    st.builds(lambda edge, times: edge * times, st.sampled_from(EDGES), st.integers(1, 400)),
)
BOTH = st.sampled_from([0, 1])
ROWS = st.lists(st.tuples(TEXTS, BOTH), max_size=20)

DAY = datetime.date(2000, 1, 1)
NOON = datetime.datetime(2000, 1, 1, 12, tzinfo=datetime.UTC)
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "string": (pa.string(), ["0", "1", "", "\x00", None]),
    "large string": (pa.large_string(), ["0", "1", "pos", None]),
    "string view": (pa.string_view(), ["0", "1", "neg"]),
    "binary": (pa.binary(), [b"0", b"1", b"\xff\xfe", None]),
    "large binary": (pa.large_binary(), [b"\xed\xa0\x80", b"1"]),
    "fixed binary": (pa.binary(2), [b"\xd8\x00", b"01", None]),
    "int8": (pa.int8(), [0, 1, -1, 127, None]),
    "int64": (pa.int64(), [0, 1, 2**63 - 1, -(2**63)]),
    "uint64": (pa.uint64(), [0, 1, 2**64 - 1]),
    "half": (pa.float16(), [np.float16(0), np.float16(1), np.float16("nan")]),
    "float": (pa.float32(), [0.0, 1.0, 0.1, float("nan"), None]),
    "double": (pa.float64(), [0.0, 1.0, -0.0, 5e-324, 1e308, float("inf")]),
    "bool": (pa.bool_(), [True, False, None]),
    "null": (pa.null(), [None]),
    "decimal": (pa.decimal128(5, 2), [decimal.Decimal("0.00"), decimal.Decimal("1.00"), None]),
    "date": (pa.date32(), [DAY, None]),
    "timestamp": (pa.timestamp("us", "UTC"), [NOON, None]),
    "time": (pa.time64("us"), [NOON.time()]),
    "duration": (pa.duration("ms"), [datetime.timedelta(1)]),
    "list": (pa.list_(pa.string()), [["0"], [], None, [None]]),
    "fixed list": (pa.list_(pa.int8(), 2), [[0, 1]]),
    "nested list": (pa.list_(pa.list_(pa.string())), [[["a"]], [[]]]),
    "struct": (pa.struct([("text", pa.string()), ("label", pa.int8())]), [{"text": "a", "label": 1}, None]),
    "deep struct": (pa.struct([("a", pa.struct([("b", pa.list_(pa.string()))]))]), [{"a": {"b": ["c"]}}, {"a": None}]),
    "map": (pa.map_(pa.string(), pa.int32()), [[("a", 1)], []]),
    "dictionary of text": (pa.dictionary(pa.int32(), pa.string()), ["0", "1", None]),
    "dictionary of large text": (pa.dictionary(pa.int8(), pa.large_string()), ["pos", "neg"]),
    "dictionary of numbers": (pa.dictionary(pa.int16(), pa.int64()), [0, 1, None]),
    "dictionary of bytes": (pa.dictionary(pa.int16(), pa.binary()), [b"\xff", b"1"]),
}


@st.composite
def columns(draw: st.DrawFn, rows: int) -> pa.Array:
    """Draw a column of any type and of legal and illegal values."""
    kind, values = COLUMNS[draw(st.sampled_from(sorted(COLUMNS)))]
    return pa.array([draw(st.sampled_from(values)) for _ in range(rows)], kind)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 5))
    names = draw(st.sampled_from([("text", "label"), ("text", "label", "text.label"), ("label", "text", "\x00")]))
    return pa.table([draw(columns(rows)) for _ in names], names=list(names))


def entry_for(path: Path, **changes: Any) -> DatasetEntry:
    content = {
        "description": "made up",
        "source": {"folder": str(path.parent)},
        "licence": "CC0-1.0",
        "files": {path.name: "0" * 64},
        "text": "text",
        "label": "label",
        "splits": {"train": {"file": path.name}},
    }
    return DatasetEntry.model_validate(content | changes)


def read_split(path: Path, **changes: Any) -> SplitReader:
    """Read a file as `download` does, and return the reader with what it counted."""
    reader = SplitReader(entry_for(path, **changes), "train", [path], in_catalog=False)
    write_split(reader, path.parent / "out" / "train.parquet")
    return reader


def refusal_of(read: Callable[[], object]) -> str | None:
    """Return the one line with which a file is refused, or None where it is read; anything else is an error."""
    try:
        read()
    except UserError as error:
        message = str(error)
        assert message.isprintable(), message
        assert len(message) < 1000
        return message
    return None


@given(table=tables())
@settings(max_examples=150)
def test_columns_of_any_types_are_read_and_counted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, table: pa.Table
) -> None:
    path = tmp_path_factory.getbasetemp() / "typed.parquet"
    pq.write_table(table, path)
    found: list[SplitReader] = []
    message = refusal_of(lambda: found.append(read_split(path)))
    if message is None:
        (reader,) = found
        assert reader.rows == table.num_rows == sum(reader.kept.values())
        written = pq.read_table(path.parent / "out" / "train.parquet")
        assert written.schema == SCHEMA
        assert written.num_rows == table.num_rows
    else:
        assert str(path) in message
    refusal_of(lambda: list(read_reviews(path)))


@given(table=tables(), names=st.sampled_from([["text", "text.label"], ["text", "label"]]))
def test_several_columns_of_any_types_are_joined_or_refused(
    tmp_path_factory: pytest.TempPathFactory, table: pa.Table, names: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "joined.parquet"
    pq.write_table(table, path)
    refusal_of(lambda: read_split(path, text=names))


@given(kept=st.lists(st.sampled_from([1, 2, 3, 4, 5]), max_size=30))
def test_every_row_is_kept_or_counted_as_dropped_by_its_label(
    tmp_path_factory: pytest.TempPathFactory, kept: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "stars.parquet"
    pq.write_table(pa.table({"text": [f"review {i}" for i in kept], "label": pa.array(kept, pa.int64())}), path)
    reader = SplitReader(entry_for(path, labels={1: 0, 2: 0, 3: "drop", 4: 1, 5: 1}), "train", [path], in_catalog=False)
    refusal_of(lambda: write_split(reader, path.parent / "out" / "train.parquet"))
    assert reader.rows == len(kept) == reader.dropped + sum(reader.kept.values())
    assert reader.dropped == kept.count(3)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table([pa.array(["a"]), pa.array(["b"]), pa.array([1])], names=["text", "text", "label"]), path)
    for read in (lambda: read_split(path), lambda: list(read_reviews(path))):
        assert refusal_of(read) == f"{path} has the column text twice: give each a name of its own"


@pytest.mark.parametrize("raw", [b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xc0\x80", b"\xff"])
def test_what_no_utf8_encoder_writes_surrogates_among_it_is_refused_with_its_row(tmp_path: Path, raw: bytes) -> None:
    buffers = pa.array([b"fine", raw], pa.binary()).buffers()
    text = pa.Array.from_buffers(pa.string(), 2, buffers)
    path = tmp_path / "surrogates.parquet"
    pq.write_table(pa.table({"text": text, "label": [1, 0]}), path)
    for read in (lambda: read_split(path), lambda: list(read_reviews(path))):
        message = refusal_of(read)
        assert message is not None
        assert "row 1: text is not UTF-8" in message
    assert refusal_of(lambda: read_split(path, label="text", text="text"))


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
def test_a_text_of_ten_megabytes_is_refused_with_its_row_and_one_at_the_limit_is_read(
    tmp_path: Path, form: str
) -> None:
    path = put(tmp_path / f"long.{form}", WRITERS[form]([("good", "1"), ("x" * 10_000_000, "0")]))
    message = refusal_of(lambda: read_split(path))
    assert message is not None
    assert "row " in message
    put(path, WRITERS[form]([("good", "1"), ("x" * MAX_CHARACTERS, "0")]))
    assert read_split(path).kept == {0: 1, 1: 1}


@given(rows=ROWS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_subsample_accounts_for_every_row_keeps_splits_apart_and_ignores_their_order(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (folder / "data/raw").mkdir(parents=True)
    plain = [(f"{number} {'good' if number % 2 else 'bad'} {number * 7}", number % 2) for number in range(100)]

    def outputs(order: list[tuple[str, int]]) -> dict[str, bytes]:
        texts, labels = zip(*order, strict=True)
        table = pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.int8())})
        pq.write_table(table, "data/raw/train.parquet")
        subsample.main()
        files = [*Path("data/subsampled").iterdir(), Path("metrics/subsample.json")]
        return {path.name: path.read_bytes() for path in files}

    first = outputs([*plain, *rows])
    counts = json.loads(first["subsample.json"])
    source = counts["source"]["train"]
    kept = sum(count for split in counts["splits"].values() for name, count in split.items() if name != "positives")
    assert source.pop("read") == len(plain) + len(rows) == kept + sum(source.values())
    ids = [pq.read_table(f"data/subsampled/{name}.parquet")["id"].to_pylist() for name in counts["splits"]]
    assert len(set().union(*ids)) == sum(map(len, ids))
    assert outputs([*rows[::-1], *plain[::-1]]) == first


@given(texts=st.lists(TEXTS, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_becomes_token_ids_within_the_limits(
    tokenizer: Any, params_with: Callable[..., Params], texts: list[str]
) -> None:
    encode = Encoder(tokenizer, params_with(tokenize={"max_length": 16}).tokenize)
    encoded = list(encode(texts))
    assert len(encoded) == len(texts)
    for review in encoded:
        assert 2 <= len(review.input_ids) <= 16
        assert all(0 <= token < len(tokenizer) for token in review.input_ids)
    assert [vars(review) for review in encode(texts[::-1])] == [vars(review) for review in encoded[::-1]]


def test_a_table_of_one_row_repeated_many_times_is_all_accounted_for(cleaning: Cleaning) -> None:
    table = pa.table({"text": pa.array(["\u202e good\x00"] * 100_000), "label": pa.array([1] * 100_000, pa.int8())})
    found = survey([table], cleaning)
    assert (len(found.usable), found.counts["duplicate"]) == (1, 99_999)
