from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.reviews import disk_sort
from sentiment.reviews.disk_sort import read_sorted, write_buckets


def rows_of(ids: list[int]) -> pa.Table:
    """Selected rows; those with the same id differ in their text."""
    return pa.table(
        {
            "id": pa.array(ids, pa.uint64()),
            "text": [f"text {key} {place % 3}" for place, key in enumerate(ids)],
            "label": pa.array([key % 2 for key in ids], pa.int8()),
        }
    )


@given(
    ids=st.lists(st.integers(0, 30) | st.integers(0, 2**64 - 1), min_size=1, max_size=40),
    cut=st.integers(0, 40),
    share=st.integers(1, 4),
    size=st.integers(1, 50),
    pool=st.sampled_from([1, 100, 10_000]),
)
def test_each_split_gets_its_rows_sorted_and_once_whatever_the_size_of_a_bucket_and_of_the_pool(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], cut: int, share: int, size: int, pool: int
) -> None:
    folder = tmp_path_factory.mktemp("aside")
    unique = np.array(sorted(set(ids)), np.uint64)
    splits = {"one": pd.DataFrame({"id": unique[::share]})}
    splits["other"] = pd.DataFrame({"id": unique[~np.isin(unique, splits["one"].id)]})
    table = rows_of(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_sort, "SIZE", size)
        patch.setattr(disk_sort, "POOL", pool)
        write_buckets([table.slice(0, cut), table.slice(cut)], splits, folder)

    for name, reviews in splits.items():
        if len(reviews):
            parts = list(read_sorted(folder, name, "read"))
            assert all(part.num_rows <= size for part in parts)
            found = pa.concat_tables(parts)
            assert found["id"].to_pylist() == [f"{key:016x}" for key in reviews.id]
            texts = {
                key: min(t for i, t in zip(ids, table["text"].to_pylist(), strict=True) if i == key) for key in ids
            }
            assert found["text"].to_pylist() == [texts[key] for key in reviews.id]


def test_a_row_that_no_split_has_is_left_out(tmp_path: Path) -> None:
    write_buckets([rows_of([1, 2, 3])], {"one": pd.DataFrame({"id": np.array([2], np.uint64)})}, tmp_path)

    assert pa.concat_tables(read_sorted(tmp_path, "one", "read"))["id"].to_pylist() == [f"{2:016x}"]


def test_one_file_is_open_at_a_time_whatever_the_number_of_buckets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = psutil.Process()
    monkeypatch.setattr(disk_sort, "SIZE", 1)
    monkeypatch.setattr(disk_sort, "POOL", 1)
    table = rows_of(list(range(200)))
    before = process.num_fds()
    most = before

    def tables() -> Iterator[pa.Table]:
        nonlocal most
        for start in range(0, 200, 40):
            yield table.slice(start, 40)
            most = max(most, process.num_fds())

    write_buckets(tables(), {"one": pd.DataFrame({"id": np.arange(200, dtype=np.uint64)})}, tmp_path)

    assert len(list((tmp_path / "one").iterdir())) == 200
    assert most <= before
    assert sum(part.num_rows for part in read_sorted(tmp_path, "one", "read")) == 200
    assert process.num_fds() == before


def test_texts_beyond_what_one_column_of_strings_holds_come_in_several_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_sort, "MOST_BYTES", 50)
    write_buckets([rows_of([4, 2, 3, 1])], {"one": pd.DataFrame({"id": np.arange(1, 5, dtype=np.uint64)})}, tmp_path)
    parts = list(read_sorted(tmp_path, "one", "read"))

    assert len(parts) > 1
    assert all(part.schema.field("text").type == pa.string() for part in parts)
    assert pa.concat_tables(parts)["text"].to_pylist() == ["text 1 0", "text 2 1", "text 3 2", "text 4 0"]


def test_a_review_that_occurs_ever_so_often_is_put_aside_once_for_each_pool(tmp_path: Path) -> None:
    write_buckets([rows_of([7] * 50)] * 50, {"one": pd.DataFrame({"id": np.array([7], np.uint64)})}, tmp_path)

    assert (tmp_path / "one/000000.arrow").stat().st_size < 2000
