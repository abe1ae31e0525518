"""Cross-validation: what belongs together stays in one fold, and what is compared rests on the same folds."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import folds
from benchmarks.grouping import folds_of, groups, near_duplicate_groups
from benchmarks.seeds import summary
from sentiment.core.errors import UserError
from sentiment.core.parquet import read_parquet
from sentiment.core.schemas import read_yaml
from sentiment.sources.catalog import load_catalog
from tests.project import ROOT

LONG = "the plot goes nowhere for two hours while the cast look at each other and at the sea and at the rain until"
TOGETHER = [
    ["She can sing.", "She can't sing."],
    [f"{LONG} all of them leave and so did we", f"{LONG} all of them leave and so did I"],
    ["Not one dull minute", "Not one minute", "Not one bright minute"],
]


def test_companions_near_duplicates_and_those_that_are_so_by_another_are_in_one_group() -> None:
    texts = [text for group in TOGETHER for text in group] + ["Cold soup, warm beer.", "👍"]
    found = groups(texts, 0.5).tolist()

    assert [len(set(found[start:stop])) for start, stop in pairwise([0, 2, 4, 7])] == [1, 1, 1]
    assert len(set(found)) == 5


def test_a_near_duplicate_group_has_what_differs_in_case_and_blanks_even_without_a_word() -> None:
    texts = ["👍 👍", "A joy from start to finish", "👍  👍", "a joy from start to FINISH!", "A bore from start to end"]

    found = near_duplicate_groups(texts, 0.5)

    assert found[0] == found[2] != found[1] == found[3] != found[4]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), min_size=20, max_size=60),
    st.integers(2, 4),
    st.integers(0, 5),
)
def test_every_review_is_in_one_fold_with_its_whole_group_and_a_seed_gives_the_same_folds(
    reviews: list[tuple[int, int]], number: int, seed: int
) -> None:
    # Reviews of each label beside them, so that there are enough.
    reviews = [*reviews, *((20 + extra, extra % 2) for extra in range(2 * number))]
    together, labels = (np.array(column) for column in zip(*reviews, strict=True))
    found = folds_of(labels, together, number, seed)

    assert set(found) == set(range(number))
    assert all(len(set(found[together == group])) == 1 for group in set(together))
    assert (found == folds_of(labels, together, number, seed)).all()


def test_each_fold_has_its_share_of_both_labels() -> None:
    labels = np.array([0, 0, 1] * 100)
    found = folds_of(labels, np.arange(300), 5, 42)

    assert np.bincount(found).tolist() == [60] * 5
    assert [labels[found == fold].sum() for fold in range(5)] == [20] * 5


def test_more_folds_than_a_label_has_groups_are_refused() -> None:
    labels, together = np.array([0] * 10 + [1] * 10), np.array([*range(10), *[10, 11] * 5])

    with pytest.raises(
        UserError,
        match=r"^3 folds can't all have positive reviews, of which there are 2 that do not belong together: "
        r"give fewer folds, or more reviews$",
    ):
        folds_of(labels, together, 3, 42)


@pytest.mark.parametrize("number", ["1", "0", "-3"])
def test_fewer_than_two_folds_are_refused(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["folds", "--", number])

    with pytest.raises(UserError, match=rf"^{number} folds leave nothing to learn from: give 2 or more$"):
        folds.main()


def test_a_setting_is_read_as_params_yaml_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert folds.changes(["train.lr=3e-5", "tokenize.parts=[1, 3]", "train.layers="]) == {
        "train.lr": 3e-5,
        "tokenize.parts": [1, 3],
        "train.layers": None,
    }


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("train.lt=1", r"--set train\.lt=1: give KEY=VALUE, KEY being one of params\.yaml's, such as train\.lr$"),
        ("train.lr", r"--set train\.lr: give KEY=VALUE, KEY being one of params\.yaml's, such as train\.lr$"),
        ("dataset=films", r"both settings must learn from the same reviews, which dataset decides; change another"),
        ("subsample.train_size=200", r"both settings must learn from the same reviews, which subsample\.train_size"),
    ],
)
def test_a_setting_that_does_not_exist_or_decides_the_reviews_is_refused(
    setting: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    with pytest.raises(UserError, match=complaint):
        folds.changes([setting])


def test_reviews_that_are_not_there_are_refused_with_what_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=r"^data/subsampled/train\.parquet is missing: dvc repro makes it"):
        folds.read_pool()


class Copy:
    """A clone as `put_dataset` needs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


def test_a_fold_becomes_the_test_split_of_a_dataset_whose_training_split_has_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    pool = pd.DataFrame({"text": list("abcdef"), "label": [0, 1] * 3, "fold": [0, 1, 2] * 2})
    folds.put_dataset(Copy(tmp_path), pool, 1)

    entry = load_catalog(tmp_path / "catalog.yaml").datasets[folds.DATASET]
    texts = {
        name: read_parquet(tmp_path / folds.DATASET / f"{name}.parquet", ["text", "label"])["text"].to_pylist()
        for name in entry.splits
    }
    assert texts == {"train": ["a", "c", "d", "f"], "test": ["b", "e"]}
    assert folds.DATASET not in read_yaml(ROOT / "catalog.yaml")["datasets"]


def test_one_sentence_says_what_the_other_setting_changes_and_whether_chance_could() -> None:
    found: dict[str, Any] = {"difference": -0.0123, "difference_low": -0.02, "difference_high": -0.0046}

    assert folds.sentence("train.lr=1", found | {"mcnemar_p": 0.00212, "n": 22115}) == (
        "with train.lr=1 the accuracy is 0.0123 lower (95 % interval of the difference -0.0200 to -0.0046, "
        "McNemar's p 0.00212) on the same 22,115 reviews"
    )


def test_the_spread_is_over_folds_for_each_setting() -> None:
    scored = {"1": {"params.yaml": {"accuracy": 0.8}}, "2": {"params.yaml": {"accuracy": 0.9}}}

    assert summary(scored)["params.yaml"]["accuracy"] == pytest.approx({"mean": 0.85, "sd": 0.0707107})
