import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core import parquet
from sentiment.core.errors import UserError
from sentiment.core.files import sha256
from sentiment.core.params import Cleaning
from sentiment.core.parquet import BATCH, map_parquet, read_parquet, regroup, write_parquet
from sentiment.core.texts import MAX_CHARACTERS
from sentiment.reviews.selection import survey
from sentiment.reviews.table import check, read_reviews


def table_of(rows: list[tuple[str, int]]) -> pa.Table:
    texts, labels = zip(*rows, strict=True)
    return pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.int8())})


def refusal(table: pa.Table) -> str:
    with pytest.raises(UserError) as caught:
        check(table, "a.parquet")
    return str(caught.value)


def test_a_table_comes_back_as_it_was_written_and_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    table = table_of([("good", 1), ("bad", 0)])
    write_parquet(tmp_path / "a.parquet", table)
    write_parquet(tmp_path / "b.parquet", table.replace_schema_metadata({"pandas": "the time of day"}))
    assert read_parquet(tmp_path / "a.parquet", ["label", "text"]).equals(table.select(["label", "text"]))
    assert sha256(tmp_path / "a.parquet") == sha256(tmp_path / "b.parquet")


@given(
    rows=st.lists(st.tuples(st.text(max_size=5), st.integers(0, 1)), min_size=1, max_size=9), mapped=st.integers(1, 4)
)
def test_a_mapped_table_is_the_one_that_would_be_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], mapped: int
) -> None:
    folder = tmp_path_factory.mktemp("mapped")
    write_parquet(folder / "a.parquet", table_of(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "BATCH", mapped)
        table = map_parquet(folder / "a.parquet", ["label", "text"], folder / "a.arrow")
    assert table.equals(read_parquet(folder / "a.parquet", ["label", "text"]))
    assert {path.name for path in folder.iterdir()} == {"a.parquet", "a.arrow"}


@given(cuts=st.lists(st.integers(0, 30), max_size=6), rows=st.integers(1, 30))
def test_rows_are_grouped_alike_however_they_were_cut(cuts: list[int], rows: int) -> None:
    table = table_of([(f"review {i}", i % 2) for i in range(30)])
    places = [0, *sorted(cuts), 30]
    groups = list(regroup((table.slice(a, b - a) for a, b in pairwise(places)), rows))
    assert [group.num_rows for group in groups] == [rows] * (30 // rows) + [30 % rows] * (30 % rows > 0)
    assert pa.concat_tables(groups).equals(table)
    assert all(group["text"].num_chunks == 1 for group in groups)


def test_a_mapped_table_takes_no_memory_of_its_own(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", table_of([("good " * 1000, 1)] * 1000))
    before = pa.total_allocated_bytes()
    table = map_parquet(tmp_path / "a.parquet", ["text"], tmp_path / "a.arrow")
    assert table.nbytes > 5_000_000
    assert pa.total_allocated_bytes() - before < 100_000


def test_a_damaged_file_is_not_mapped_and_leaves_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, table_of([(f"review {i}", i % 2) for i in range(200)]))
    content = bytearray(path.read_bytes())
    content[20:200] = bytes(180)
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))} is not a whole parquet file"):
        map_parquet(path, ["text", "label"], tmp_path / "a.arrow")
    assert list(tmp_path.iterdir()) == [path]


def test_a_copy_that_cannot_be_written_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, table_of([("a", 1)]))
    with pytest.raises(OSError, match="No such file"):
        map_parquet(path, ["text"], Path("/proc/none/a.arrow"))


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, table_of([(f"review {i}", i % 2) for i in range(200)]))
    content = path.read_bytes()
    path.write_bytes(content[: max(1, int(len(content) * share))])
    sentence = f"{path} is not a whole parquet file (truncated, or another format): "
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}[^\n]+$"):
        read_parquet(path, ["text", "label"])


def test_damaged_column_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, table_of([("a", 1)]))
    path.write_bytes(path.read_bytes().replace(b"text", b"\xffext"))
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}"):
        read_parquet(path, ["text", "label"])


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_data_is_never_read(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.parquet"
    table = table_of([(f"review {i * 7919} of many", i % 2) for i in range(50)])
    write_parquet(path, table)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    try:
        found = read_parquet(path, ["text", "label"])
    except UserError:
        return
    assert found.equals(table)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_byte_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, cleaning: Cleaning, place: int, byte: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    write_parquet(path, table_of([(f"review {i}", i % 2) for i in range(50)]))
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(content)
    refusal = None
    try:
        survey(read_reviews(path), cleaning)
    except UserError as error:
        refusal = str(error)
    assert refusal is None or str(path) in refusal


@pytest.mark.parametrize("content", [b"text,label\ngood,1\n", b"PAR1", b"PAR1" * 10, bytes(1000)])
def test_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))} is not a whole parquet file"):
        read_parquet(path, ["text", "label"])


def test_a_missing_file_an_empty_one_and_a_folder_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    missing = re.escape(f"{path} is missing: dvc repro makes it, or give the path of a parquet file that exists")
    with pytest.raises(UserError, match=f"^{missing}$"):
        read_parquet(path, ["text"])
    path.touch()
    empty = re.escape(f"{path} is empty: give a parquet file with the columns text, label")
    with pytest.raises(UserError, match=f"^{empty}$"):
        read_parquet(path, ["text", "label"])
    with pytest.raises(UserError, match=f"^{re.escape(str(tmp_path))} is missing"):
        read_parquet(tmp_path, ["text"])


def test_missing_columns_are_refused_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parquet(path, pa.table({"review": ["a"], "stars": [1], "id": ["x"]}))
    sentence = f"{path} has no column text, label: its columns are review, stars, id"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        read_parquet(path, ["text", "id", "label"])


@pytest.mark.parametrize(
    ("text", "label", "sentence"),
    [
        ([], [], "a.parquet has no rows: at least one review of each label is needed"),
        (["a", None], [0, 1], "a.parquet, row 1: text is null; remove the row or fill it in"),
        (["a", "b"], [None, 1], "a.parquet, row 0: label is null; remove the row or fill it in"),
        (["a", "b", "c"], [0, 1, 2], "a.parquet, row 2: label is 2, but must be 0 (negative) or 1 (positive)"),
        (["a", "b"], [-1, 1], "a.parquet, row 0: label is -1, but must be 0 (negative) or 1 (positive)"),
        (["a"], ["1"], "a.parquet: column label is of type string, but must be integer, 0 negative or 1 positive"),
        (["a"], [0.5], "a.parquet: column label is of type double, but must be integer, 0 negative or 1 positive"),
        (["a"], [True], "a.parquet: column label is of type bool, but must be integer, 0 negative or 1 positive"),
        ([7], [1], "a.parquet: column text is of type int64, but must be string"),
        ([b"a"], [1], "a.parquet: column text is of type binary, but must be string"),
        ([["a"]], [1], "a.parquet: column text is of type list<element: string>, but must be string"),
    ],
)
def test_a_bad_table_is_refused_with_row_value_and_what_is_legal(
    text: list[Any], label: list[Any], sentence: str
) -> None:
    assert refusal(pa.table({"text": text, "label": label})).replace("item:", "element:") == sentence


def test_a_text_over_the_limit_is_refused_and_one_at_it_is_not() -> None:
    at_limit, over = "é" * MAX_CHARACTERS, "é" * (MAX_CHARACTERS + 1)
    assert check(table_of([(at_limit, 0)]), "a.parquet").num_rows == 1
    assert refusal(table_of([("a", 0), (at_limit, 0), (over, 1)])) == (
        "a.parquet, row 2: the text has 1,000,001 characters, but a review has at most 1,000,000: "
        "remove the row or cut it"
    )


def test_text_that_is_not_utf8_is_refused_with_its_row(tmp_path: Path) -> None:
    buffers = pa.array([b"fine", b"\xff\xfe"], pa.binary()).buffers()
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), 2, buffers), "label": [1, 0]})
    write_parquet(tmp_path / "a.parquet", table)
    assert refusal(read_parquet(tmp_path / "a.parquet", ["text", "label"])).startswith("a.parquet, row 1: ")


@pytest.mark.parametrize("kind", [pa.int16(), pa.uint64(), pa.int64()])
def test_any_integers_and_long_strings_are_brought_to_the_schemas_types(kind: pa.DataType) -> None:
    text = pa.chunked_array([pa.array(["a"], pa.large_string()), pa.array(["b"], pa.large_string())])
    table = check(pa.table({"text": text, "label": pa.array([0, 1], kind)}), "a.parquet")
    assert table.schema == pa.schema([("text", pa.string()), ("label", pa.int8())])
    assert table.to_pydict() == {"text": ["a", "b"], "label": [0, 1]}


@pytest.mark.parametrize("rows_per_group", [1000, BATCH, 30_000])
def test_reviews_are_read_in_small_batches_whatever_the_row_groups(tmp_path: Path, rows_per_group: int) -> None:
    table = table_of([(f"review {i}", i % 2) for i in range(30_000)])
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=rows_per_group)
    batches = list(read_reviews(tmp_path / "a.parquet"))
    assert max(batch.num_rows for batch in batches) <= BATCH
    assert pa.concat_tables(batches).equals(table)


def test_a_bad_row_of_a_later_batch_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", table_of([(f"review {i}", 7 * (i == 20_000)) for i in range(30_000)]))
    with pytest.raises(UserError, match=r"a\.parquet, row 20000: label is 7, but must be 0 \(negative\) or 1"):
        list(read_reviews(tmp_path / "a.parquet"))


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", table_of([("a", 1)]).slice(1))
    with pytest.raises(UserError, match=r"a\.parquet has no rows: at least one review of each label is needed$"):
        list(read_reviews(tmp_path / "a.parquet"))
