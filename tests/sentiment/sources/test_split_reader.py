import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import sha256
from sentiment.reviews.table import SCHEMA
from sentiment.sources import split_reader
from sentiment.sources.catalog import DatasetEntry
from sentiment.sources.split_reader import SplitReader, write_split
from sentiment.tables import reader

Entry = Callable[..., DatasetEntry]

RATED = pa.table({"review": ["fine", "dull", "odd", "great"], "stars": [5, 1, 1, 5], "topic": ["a", "a", "b", "b"]})
STARS = {1: 0, 2: 0, 3: "drop", 4: 1, 5: 1}


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """Write a table and return a catalog entry for it, every row in the train split unless told otherwise."""

    def make(table: pa.Table, labels: dict[Any, Any] | None = None, text: Any = None, **split: Any) -> DatasetEntry:
        path = tmp_path / "reviews.parquet"
        pq.write_table(table, path)
        return DatasetEntry.model_validate(
            {
                "description": "made up",
                "source": {"folder": str(tmp_path)},
                "licence": "CC0-1.0",
                "files": {path.name: sha256(path)},
                "text": text or table.column_names[0],
                "label": table.column_names[1],
                "labels": labels,
                "splits": {"train": {"file": path.name, "rows": table.num_rows} | split},
            }
        )

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., pa.Table]:
    """Write an entry's train split, and return the table that stands in the file then."""

    def run(entry: DatasetEntry, *paths: Path, in_catalog: bool = True) -> pa.Table:
        files = list(paths) or [tmp_path / "reviews.parquet"]
        write_split(SplitReader(entry, "train", files, in_catalog=in_catalog), tmp_path / "out" / "train.parquet")
        return pq.read_table(tmp_path / "out" / "train.parquet")

    return run


@pytest.fixture
def refusal(write: Callable[..., pa.Table], tmp_path: Path) -> Callable[..., str]:
    """Return what an entry is refused with, less the folder; nothing may be left of its output."""

    def run(entry: DatasetEntry, *paths: Path, in_catalog: bool = True) -> str:
        with pytest.raises(UserError) as caught:
            write(entry, *paths, in_catalog=in_catalog)
        assert list((tmp_path / "out").iterdir()) == []
        return str(caught.value).replace(f"{tmp_path}/", "")

    return run


def test_a_split_has_the_entrys_columns_as_text_and_label(entry: Entry, write: Callable[..., pa.Table]) -> None:
    table = write(entry(RATED, STARS))
    assert table.to_pydict() == {"text": RATED["review"].to_pylist(), "label": [1, 0, 0, 1]}
    assert table.schema == SCHEMA


def test_a_split_holds_the_rows_that_its_conditions_choose(entry: Entry, write: Callable[..., pa.Table]) -> None:
    table = write(entry(RATED, STARS, rows=2, where={"topic": "b"}))
    assert table.to_pydict() == {"text": ["odd", "great"], "label": [0, 1]}


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ({"topic": ["a", "b"]}, ["fine", "dull", "odd", "great"]),
        ({"topic": ["b", "c"], "review": ["fine", "odd", "great"]}, ["odd", "great"]),
        ([{"topic": "b", "review": "great"}, {"review": ["dull", "great"]}], ["dull", "great"]),
        ([{"topic": "a", "review": "dull"}, {"topic": "b"}], ["dull", "odd", "great"]),
    ],
)
def test_a_condition_may_list_values_and_one_of_several_must_hold(
    entry: Entry, write: Callable[..., pa.Table], where: Any, chosen: list[str]
) -> None:
    assert write(entry(RATED, STARS, rows=len(chosen), where=where))["text"].to_pylist() == chosen


def test_rows_whose_label_says_so_are_dropped_and_counted(entry: Entry, tmp_path: Path) -> None:
    table = RATED.set_column(1, "stars", pa.array([5, 3, 2, 3]))
    split = SplitReader(entry(table, STARS), "train", [tmp_path / "reviews.parquet"], in_catalog=True)
    write_split(split, tmp_path / "train.parquet")
    assert pq.read_table(tmp_path / "train.parquet").to_pydict() == {"text": ["fine", "odd"], "label": [1, 0]}
    assert (split.rows, split.dropped, split.kept) == (4, 2, {0: 1, 1: 1})


def test_columns_of_text_are_joined_by_a_blank_line_where_both_have_any(
    entry: Entry, write: Callable[..., pa.Table]
) -> None:
    titles = ["Good", "", None, "Bad"]
    bodies = ["I like it.", "Only a body.", "No title.", ""]
    table = pa.table({"title": titles, "label": [1, 0, 1, 0], "content": bodies})
    assert write(entry(table, text=["title", "content"]))["text"].to_pylist() == [
        "Good\n\nI like it.",
        "Only a body.",
        "No title.",
        "Bad",
    ]


def test_a_row_without_any_of_the_columns_of_text_is_refused(entry: Entry, refusal: Callable[..., str]) -> None:
    table = pa.table({"title": ["Good", None], "label": [1, 0], "content": ["I like it.", None]})
    message = refusal(entry(table, text=["title", "content"]))
    assert message == "reviews.parquet (train), row 1: text is null; remove the row or fill it in"


def test_several_files_are_read_one_after_the_other(
    entry: Entry, write: Callable[..., pa.Table], tmp_path: Path
) -> None:
    pq.write_table(RATED, tmp_path / "first.parquet")
    pq.write_table(RATED.slice(0, 1), tmp_path / "second.parquet")
    table = write(entry(RATED, STARS, rows=5), tmp_path / "first.parquet", tmp_path / "second.parquet")
    assert table["text"].to_pylist() == ["fine", "dull", "odd", "great", "fine"]


@pytest.mark.parametrize("batch", [1, 7, 16, 100])
def test_the_bytes_written_do_not_depend_on_how_the_source_was_cut(
    entry: Entry, write: Callable[..., pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(split_reader, "ROW_GROUP", 16)
    table = pa.table({"text": [f"review {i}" for i in range(50)], "label": [0, 1] * 25})
    known = entry(table)
    write(known)
    expected = sha256(tmp_path / "out" / "train.parquet")
    pq.write_table(table, tmp_path / "reviews.parquet", row_group_size=batch)
    monkeypatch.setattr(reader, "BATCH", batch)
    write(known)
    assert sha256(tmp_path / "out" / "train.parquet") == expected
    metadata = pq.ParquetFile(tmp_path / "out" / "train.parquet").metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [16, 16, 16, 2]


def test_a_wrong_number_of_rows_is_refused_with_the_remedy(entry: Entry, refusal: Callable[..., str]) -> None:
    assert refusal(entry(RATED, STARS, rows=5000)) == (
        "reviews.parquet (train) has 4 rows, but catalog.yaml expects 5,000: "
        "correct the entry if the file is the right one"
    )


def test_a_number_of_rows_need_not_be_given(entry: Entry, write: Callable[..., pa.Table]) -> None:
    assert write(entry(RATED, STARS, rows=None)).num_rows == 4


@pytest.mark.parametrize("column", ["review", "stars", "topic"])
def test_a_column_that_the_file_lacks_is_refused_with_those_it_has_and_what_names_it(
    entry: Entry, refusal: Callable[..., str], column: str
) -> None:
    known = entry(RATED.rename_columns({column: "other"}), STARS, where={"topic": "a"})
    known = known.model_copy(update={"text": ["review"], "label": "stars"})
    columns = ", ".join("other" if name == column else name for name in RATED.column_names)
    sentence = f"reviews.parquet has no column {column}: its columns are {columns}"
    assert refusal(known) == sentence
    assert refusal(known, in_catalog=False) == (
        f"{sentence}; params.yaml's download.text and download.label say which to read"
    )


@pytest.mark.parametrize(
    ("in_catalog", "key"), [(True, "catalog.yaml's labels"), (False, "params.yaml's download.labels")]
)
def test_a_label_without_a_meaning_is_refused_with_where_to_give_it_one(
    entry: Entry, refusal: Callable[..., str], in_catalog: bool, key: str
) -> None:
    table = RATED.set_column(1, "stars", pa.array([5, 3, 2, 1]))
    assert refusal(entry(table, {1: 0, 5: 1}), in_catalog=in_catalog).startswith(
        f"reviews.parquet (train), row 1: column stars has 2, 3, but {key} has 1, 5: add"
    )
    message = refusal(entry(table), in_catalog=in_catalog)
    assert re.match(r"reviews\.parquet \(train\), row 0: column stars has 1, 2, 3, 5: which of these", message)
    assert f"in {key}, for example {{1: 0, 2: 0, 3: 1, 5: 1}}" in message


@pytest.mark.parametrize("columns", [["review"], ["topic", "review"]])
def test_text_of_another_type_is_refused_with_its_column(
    entry: Entry, refusal: Callable[..., str], columns: list[str]
) -> None:
    known = entry(RATED.set_column(0, "review", pa.array([1, 2, 3, 4])), STARS, text=columns)
    assert refusal(known) == "reviews.parquet (train): column review is of type int64, but must be string"


def test_a_condition_on_a_column_that_is_no_text_is_refused_with_the_column(
    entry: Entry, refusal: Callable[..., str]
) -> None:
    known = entry(RATED.set_column(2, "topic", pa.array([1, 1, 2, 2])), STARS, where={"topic": "1"})
    assert refusal(known) == "reviews.parquet (train): column topic is of type int64, but must be string"


@pytest.mark.parametrize(("column", "name"), [(0, "text"), (1, "label")])
def test_a_null_is_refused_with_its_row_in_the_file(
    entry: Entry, refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch, column: int, name: str
) -> None:
    values = RATED.column(column).to_pylist()
    table = RATED.set_column(column, RATED.column_names[column], pa.array([*values[:3], None]))
    sentence = f"reviews.parquet (train), row 3: {name} is null; remove the row or fill it in"
    if name == "label":
        sentence += ", or leave such rows out: '': drop in catalog.yaml's labels"
    assert refusal(entry(table, STARS)) == sentence
    # Rows are counted in the file, not among those that a condition, a label or a batch leaves over.
    assert refusal(entry(table, STARS, rows=2, where={"topic": "b"})) == sentence
    dropped = table.set_column(1, "stars", pa.array([3, *table["stars"].to_pylist()[1:]]))
    assert refusal(entry(dropped, STARS)) == sentence
    monkeypatch.setattr(reader, "BATCH", 3)
    assert refusal(entry(table, STARS)) == sentence


def test_a_split_without_rows_or_with_one_label_only_is_refused(entry: Entry, refusal: Callable[..., str]) -> None:
    need = "at least one of each label is needed"
    assert refusal(entry(RATED.slice(1, 2), STARS)) == f"reviews.parquet (train) has no positive review: {need}"
    assert refusal(entry(RATED, {1: "drop", 5: 1, 0: 0})) == f"reviews.parquet (train) has no negative review: {need}"
    empty = "reviews.parquet (train) has no rows: at least one review of each label is needed"
    assert refusal(entry(RATED.slice(0, 0), STARS, rows=None)) == empty
    assert refusal(entry(RATED, STARS, rows=None, where={"topic": "c"})) == empty
    assert refusal(entry(RATED, {1: "drop", 5: "drop", 0: 0, 2: 1})) == empty
