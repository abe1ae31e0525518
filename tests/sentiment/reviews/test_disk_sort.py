from pathlib import Path

import numpy as np
import pandas as pd
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
)
def test_each_split_gets_its_rows_sorted_and_once_whatever_the_size_of_a_bucket(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], cut: int, share: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("aside")
    unique = np.array(sorted(set(ids)), np.uint64)
    splits = {"one": pd.DataFrame({"id": unique[::share]})}
    splits["other"] = pd.DataFrame({"id": unique[~np.isin(unique, splits["one"].id)]})
    table = rows_of(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_sort, "SIZE", size)
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
