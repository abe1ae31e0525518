import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.catalog import DatasetEntry
from sentiment.datasets import load_split
from sentiment.errors import UserError
from sentiment.files import sha256

Entry = Callable[..., DatasetEntry]

RATED = pa.table({"review": ["fine", "dull", "odd", "great"], "stars": [5, 1, 1, 5], "topic": ["a", "a", "b", "b"]})


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """Write a table and return a catalog entry for it, every row in the train split unless told otherwise."""

    def make(table: pa.Table, labels: dict[int, int] | None = None, **split: Any) -> DatasetEntry:
        path = tmp_path / "reviews.parquet"
        pq.write_table(table, path)
        return DatasetEntry.model_validate(
            {
                "description": "made up",
                "source": {"folder": str(tmp_path)},
                "licence": "CC0-1.0",
                "files": {path.name: sha256(path)},
                "text": table.column_names[0],
                "label": table.column_names[1],
                "labels": labels or {0: 0, 1: 1},
                "splits": {"train": {"file": path.name, "rows": table.num_rows} | split},
            }
        )

    return make


def test_a_split_has_the_catalogs_columns_as_text_and_label(entry: Entry) -> None:
    table = load_split(entry(RATED, {1: 0, 5: 1}), "train")
    assert table.to_pydict() == {"text": RATED["review"].to_pylist(), "label": [1, 0, 0, 1]}
    assert table.schema.types == [pa.string(), pa.int8()]


def test_a_split_holds_the_rows_that_its_conditions_choose(entry: Entry) -> None:
    table = load_split(entry(RATED, {1: 0, 5: 1}, rows=2, where={"topic": "b"}), "train")
    assert table.to_pydict() == {"text": ["odd", "great"], "label": [0, 1]}


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.int64(), pa.float64()])
def test_labels_of_any_number_type_are_mapped(entry: Entry, kind: pa.DataType) -> None:
    table = pa.table({"text": ["a", "b"], "label": pa.array([1, 0], kind)})
    assert load_split(entry(table), "train")["label"].to_pylist() == [1, 0]


def refusal(entry: DatasetEntry) -> str:
    """Return what load_split refuses the entry with, less the file's name."""
    with pytest.raises(UserError) as caught:
        load_split(entry, "train")
    return re.sub(r"\S+/reviews\.parquet", "FILE", str(caught.value))


def test_a_wrong_number_of_rows_is_refused_with_the_remedy(entry: Entry) -> None:
    assert refusal(entry(RATED, {1: 0, 5: 1}, rows=5000)) == (
        "FILE (train) has 4 rows, but catalog.yaml expects 5,000: correct the entry if the file is the right one"
    )


def test_a_changed_file_is_refused_before_it_is_read(entry: Entry, tmp_path: Path) -> None:
    known = entry(RATED, {1: 0, 5: 1})
    (tmp_path / "reviews.parquet").write_bytes(b"not even parquet")
    assert "has sha256" in refusal(known)


@pytest.mark.parametrize("column", ["review", "stars", "topic"])
def test_a_column_that_the_file_lacks_is_refused_with_those_it_has(entry: Entry, column: str) -> None:
    known = entry(RATED.rename_columns({column: "other"}), {1: 0, 5: 1}, where={"topic": "a"})
    known = known.model_copy(update={"text": "review", "label": "stars"})
    columns = ", ".join("other" if name == column else name for name in RATED.column_names)
    assert refusal(known) == f"FILE has no column {column}: its columns are {columns}"


def test_a_label_without_a_meaning_is_refused_with_those_that_have_one(entry: Entry) -> None:
    table = RATED.set_column(1, "stars", pa.array([5, 3, 2, 1]))
    assert refusal(entry(table, {1: 0, 5: 1})) == (
        "FILE (train): column stars has 2, 3, but catalog.yaml's labels are 1, 5"
    )


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["pos", "neg", "pos", "neg"]),
        pa.array(["1", "0", "1", "0"]).dictionary_encode(),
        pa.array([True, False, True, False]),
        pa.array([None] * 4),
    ],
    ids=["strings", "dictionary", "booleans", "nothing"],
)
def test_labels_that_are_no_numbers_are_refused_with_their_column(entry: Entry, column: pa.Array) -> None:
    message = refusal(entry(RATED.set_column(1, "stars", column)))
    assert message.startswith("FILE (train)")
    assert "stars" in message or "label" in message


@pytest.mark.parametrize("meaning", [500, -1])
def test_a_meaning_outside_the_columns_type_is_harmless(entry: Entry, meaning: int) -> None:
    table = pa.table({"text": ["a", "b"], "label": pa.array([1, 0], pa.uint8())})
    assert load_split(entry(table, {0: 0, 1: 1, meaning: 1}), "train")["label"].to_pylist() == [1, 0]


def test_a_condition_on_a_column_that_is_no_text_is_refused_with_the_column(entry: Entry) -> None:
    message = refusal(entry(RATED.set_column(2, "topic", pa.array([1, 1, 2, 2])), {1: 0, 5: 1}, where={"topic": "1"}))
    assert message.startswith("FILE (train)")
    assert "topic" in message


@pytest.mark.parametrize(("column", "name"), [(0, "text"), (1, "label")])
def test_a_null_is_refused_with_its_row_in_the_file(entry: Entry, column: int, name: str) -> None:
    values = RATED.column(column).to_pylist()
    table = RATED.set_column(column, RATED.column_names[column], pa.array([*values[:3], None]))
    assert refusal(entry(table, {1: 0, 5: 1})) == f"FILE (train), row 3: {name} is null; remove the row or fill it in"
    # Rows are counted in the file, not among those that the conditions choose: the reader looks there.
    chosen = entry(table, {1: 0, 5: 1}, rows=2, where={"topic": "b"})
    assert refusal(chosen) == f"FILE (train), row 3: {name} is null; remove the row or fill it in"
