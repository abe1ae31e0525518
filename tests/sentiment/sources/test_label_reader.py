import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.errors import UserError
from sentiment.core.labels import Labels
from sentiment.sources.label_reader import DROPPED, LabelReader, declared_labels

STARS: Labels = {"1": 0, "2": 0, "3": "drop", "4": 1, "5": 1}
KEY = "params.yaml's download.labels"


def mapped(values: list[Any] | pa.Array, labels: Labels | None = None) -> list[int | None]:
    reader = LabelReader("stars", labels, KEY)
    array = pa.array(values)
    meanings = reader(array, "FILE", np.arange(len(array)) + 10)
    reader.finish()
    assert meanings.type == pa.int8()
    return meanings.to_pylist()


def refusal(values: list[Any] | pa.Array, labels: Labels | None = None) -> str:
    with pytest.raises(UserError) as caught:
        mapped(values, labels)
    return str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        [1, 0],
        [1.0, 0.0],
        [True, False],
        ["1", "0"],
        ["1.0", " 0"],
        ["true", "False"],
        ["pos", "neg"],
        ["Positive", "NEGATIVE "],
        pa.array([1, 0], pa.uint8()),
    ],
)
def test_labels_that_can_not_be_misread_need_no_rule(values: Any) -> None:
    assert mapped(values) == [1, 0]


@pytest.mark.parametrize("values", [[1, 3, 5, None], [1.0, 3.0, 5.0, None], ["1", "3.0", "05", None]])
def test_stars_are_mapped_by_the_rule_and_nulls_stay(values: list[Any]) -> None:
    assert mapped(values, STARS) == [0, DROPPED, 1, None]


@pytest.mark.parametrize("values", [["1", "", "0"], ["1", None, "0"], [1, None, 0]])
def test_the_empty_label_is_dropped_where_the_rule_says_so(values: list[Any]) -> None:
    assert mapped(values, {"": "drop", "0": 0, "1": 1}) == [1, DROPPED, 0]


@pytest.mark.parametrize(
    ("values", "seen", "example"),
    [
        ([5, 1, 3, 2, 4], "1, 2, 3, 4, 5", "{1: 0, 2: 0, 3: drop, 4: 1, 5: 1}"),
        (["1", "2"], "1, 2", "{1: 0, 2: 1}"),
        ([1, -1], "-1, 1", "{-1: 0, 1: 1}"),
        (["good", "bad", "Bad"], "bad, good", "{bad: , good: }; fill in what is blank"),
        (["Positive", "neutral", "mixed"], "mixed, neutral, positive", "{mixed: , neutral: drop, positive: 1}; fill"),
        (["", "1", "0"], "0, 1, ''", """{"0": 0, "1": 1, '': drop}"""),
        (["very, very", "0"], "0, very, very", """{"0": 0, 'very, very': }; fill in what is blank"""),
        ([0.5, 0.0], "0, 0.5", "{0: 0, 0.5: 1}"),
        (["", "pos"], "'', pos", "{'': drop, pos: 1}"),
        ([0, 4, 2, 10], "0, 2, 4, 10", "{0: 0, 2: 0, 4: 1, 10: 1}"),
    ],
)
def test_labels_without_a_clear_meaning_are_refused_with_all_that_were_seen(
    values: list[Any], seen: str, example: str
) -> None:
    message = refusal(values)
    assert message.startswith("FILE, row 1")
    assert message.partition(": ")[2].startswith(
        f"column stars has {seen}: which of these are positive must be said, 0 (negative), 1 (positive) or drop "
        f"(the row is left out), in {KEY}, for example {example}"
    )


def test_a_refusal_shows_labels_of_later_batches_too_and_the_first_bad_row() -> None:
    reader = LabelReader("stars", None, KEY)
    reader(pa.array([1, 1]), "FILE", np.array([0, 1]))
    reader(pa.array([0, 2]), "FILE", np.array([2, 3]))
    reader(pa.array([5]), "FILE", np.array([4]))
    with pytest.raises(UserError, match=r"^FILE, row 3: column stars has 0, 1, 2, 5: which of these"):
        reader.finish()


def test_a_label_that_the_rule_lacks_is_refused_with_those_it_has() -> None:
    assert refusal([1, 6, 3, 0], STARS) == (
        f"FILE, row 11: column stars has 0, 6, but {KEY} has 1, 2, 3, 4, 5: "
        "add what is missing, as 0 (negative), 1 (positive) or drop (the row is left out)"
    )


def test_a_column_of_anything_else_is_refused_before_it_is_read_to_its_end() -> None:
    message = refusal([f"a review of {i} words" for i in range(1001)])
    assert "column stars has a review of 0 words, a review of 1 words, " in message
    assert " and 991 more: is it the right column?" in message


@pytest.mark.parametrize("values", [[[1], [0]], [{"stars": 1}], [b"1"]])
def test_a_column_of_a_type_that_labels_never_have_is_refused(values: list[Any]) -> None:
    assert "FILE: column stars is of type " in refusal(values)


def test_labels_that_are_not_utf8_are_refused() -> None:
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    assert refusal(broken) == "FILE: column stars is not UTF-8; write it anew in UTF-8"


@pytest.fixture
def declaring(tmp_path: Path) -> Any:
    def write(*names: str) -> Path:
        path = tmp_path / "a.parquet"
        content = {"info": {"features": {"label": {"names": names}}}}
        metadata = {"huggingface": json.dumps(content)}
        pq.write_table(pa.table({"label": [0, 1]}).replace_schema_metadata(metadata), path)
        return path

    return write


def test_names_that_a_file_declares_say_what_its_numbers_mean(declaring: Any, tmp_path: Path) -> None:
    assert declared_labels(declaring("neg", "pos"), "label", KEY) == {"0": 0, "1": 1}
    assert declared_labels(declaring("Positive", "negative"), "label", KEY) == {"0": 1, "1": 0}
    assert declared_labels(declaring(), "label", KEY) is None
    (tmp_path / "a.csv").write_text("label\n1\n")
    assert declared_labels(tmp_path / "a.csv", "label", KEY) is None


@pytest.mark.parametrize("metadata", [{}, {"huggingface": "{"}, {"huggingface": "[]"}])
def test_a_file_that_declares_nothing_about_its_labels_leaves_them_to_be_read(
    tmp_path: Path, metadata: dict[str, str]
) -> None:
    pq.write_table(pa.table({"label": [0, 1]}).replace_schema_metadata(metadata), tmp_path / "a.parquet")
    assert declared_labels(tmp_path / "a.parquet", "label", KEY) is None


def test_declared_names_without_a_clear_meaning_are_refused(declaring: Any) -> None:
    path = declaring("negative", "neutral", "positive")
    with pytest.raises(UserError) as caught:
        declared_labels(path, "label", KEY)
    assert str(caught.value) == (
        f"{path}: column label has 0 (negative), 1 (neutral), 2 (positive): which of these are positive must be said, "
        f"0 (negative), 1 (positive) or drop (the row is left out), in {KEY}, for example {{0: 0, 1: drop, 2: 1}}"
    )
