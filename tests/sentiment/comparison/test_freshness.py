import copy
from typing import Any

import pytest

from sentiment.comparison.freshness import what_changed
from sentiment.core.schemas import read_yaml
from tests.conftest import ROOT

TEST = "data/predictions/test.parquet"
CROSS = "data/predictions/cross/books.parquet"


@pytest.fixture
def lock() -> Any:
    return copy.deepcopy(LOCK)


@pytest.fixture
def params() -> Any:
    return copy.deepcopy(PARAMS)


LOCK = read_yaml(ROOT / "dvc.lock")["stages"]
# The values with which all stages ran.
PARAMS: dict[str, Any] = {}
for stage in LOCK.values():
    for key, value in stage.get("params", {}).get("params.yaml", {}).items():
        section, _, name = key.partition(".")
        PARAMS |= {section: PARAMS.get(section, {}) | {name: value}} if name else {section: value}


@pytest.mark.parametrize("path", [TEST, CROSS])
def test_what_the_whole_pipeline_made_is_fresh(path: str, lock: Any, params: Any) -> None:
    assert what_changed(path, lock, params) is None


@pytest.mark.parametrize("path", [TEST, CROSS])
def test_outputs_that_a_later_stage_has_not_read_make_what_it_wrote_stale(path: str, lock: Any, params: Any) -> None:
    (out,) = (out for out in lock["subsample"]["outs"] if out["path"] == "data/subsampled")
    out["md5"] = "another.dir"

    assert what_changed(path, lock, params) == "tokenize has not run since data/subsampled changed"


@pytest.mark.parametrize(
    ("section", "name", "new", "said"),
    [
        ("train", "lr", 0.5, "train has not run since train.lr changed"),
        ("subsample", "train_size", 123, "subsample has not run since subsample.train_size changed"),
        ("download", "labels", {"1": 0, "5": 1}, "download has not run since download.labels"),
    ],
)
def test_parameters_with_which_a_stage_has_not_run_make_it_stale(
    section: str, name: str, new: Any, said: str, lock: Any, params: Any
) -> None:
    params[section][name] = new

    assert str(what_changed(TEST, lock, params)).startswith(said)


def test_what_has_no_part_in_a_file_does_not_make_it_stale(lock: Any, params: Any) -> None:
    params["cross_dataset_evaluate"] = {"size": 123}
    params["export"] = {}

    assert what_changed(TEST, lock, params) is None
    assert (
        what_changed(CROSS, lock, params)
        == "cross_dataset_evaluate has not run since cross_dataset_evaluate.size changed"
    )


def test_a_file_that_no_stage_made_and_code_that_changed_are_fresh(lock: Any, params: Any) -> None:
    for dep in lock["train"]["deps"]:
        if dep["path"].startswith("sentiment"):
            dep["md5"] = "another"

    assert what_changed(TEST, lock, params) is None
    assert what_changed("data/everyday.csv", lock, params) is None
