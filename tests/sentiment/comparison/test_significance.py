import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.comparison.report import text_of
from sentiment.comparison.significance import changed_parameters, compare, flips, pair
from sentiment.core.errors import UserError
from sentiment.metrics import wilson

RIGHT, WRONG = 0.9, 0.2


def predictions(scores: list[float], first: int = 0) -> pd.DataFrame:
    """Return predictions for positive reviews."""
    ids = [f"{number:04}" for number in range(first, first + len(scores))]
    return pd.DataFrame({"id": ids, "label": 1, "score": scores})


def pairs_of(both: int, only_a: int, only_b: int, neither: int) -> pd.DataFrame:
    kinds = [(RIGHT, RIGHT)] * both + [(RIGHT, WRONG)] * only_a + [(WRONG, RIGHT)] * only_b + [(WRONG, WRONG)] * neither
    a, b = ([kind[run] for kind in kinds] for run in (0, 1))
    return pair(predictions(a), predictions(b), "test")


def test_reviews_are_paired_by_id_whatever_their_order() -> None:
    a, b = predictions([0.1, 0.2, 0.3]), predictions([0.4, 0.5, 0.6])
    pairs = pair(a, b[::-1], "test")
    assert pairs.to_dict("list") == {
        "id": ["0000", "0001", "0002"],
        "label": [1, 1, 1],
        "score_a": [0.1, 0.2, 0.3],
        "score_b": [0.4, 0.5, 0.6],
    }


def test_runs_on_different_reviews_are_refused_with_how_many_differ() -> None:
    message = "books: A and B were not scored on the same reviews: 2 are only in A, 3 only in B"
    with pytest.raises(UserError, match=message):
        pair(predictions([0.5] * 6), predictions([0.5] * 7, first=2), "books")


def test_a_review_with_another_label_is_refused() -> None:
    other = predictions([0.5, 0.5]).assign(label=[1, 0])
    with pytest.raises(UserError, match="test: 1 reviews have one label in A and the other in B"):
        pair(predictions([0.5, 0.5]), other, "test")


def test_accuracies_and_p_are_those_of_the_literature() -> None:
    result = compare(pairs_of(both=60, only_a=5, only_b=15, neither=20))
    assert (result["n"], result["only_a_right"], result["only_b_right"]) == (100, 5, 15)
    assert result["a"] == dict(
        zip(("accuracy", "accuracy_low", "accuracy_high"), (0.65, *wilson(65, 100)), strict=True)
    )
    assert result["b"]["accuracy"] == 0.75
    assert result["difference"] == 0.10
    # McNemar's exact test asks how likely 20 tosses of a coin give 5 heads or fewer, or 15 or more.
    assert result["mcnemar_p"] == pytest.approx(2 * sum(math.comb(20, heads) for heads in range(6)) / 2**20)
    # The bootstrap's standard deviation is that of a mean of -1, 0 and 1.
    error = np.sqrt((20 / 100 - 0.1**2) / 100)
    assert result["difference_low"] == pytest.approx(0.1 - 1.96 * error, abs=0.015)
    assert result["difference_high"] == pytest.approx(0.1 + 1.96 * error, abs=0.015)


def test_each_run_is_judged_by_its_own_threshold() -> None:
    pairs = pairs_of(both=3, only_a=1, only_b=0, neither=0)
    assert compare(pairs)["only_a_right"] == 1
    found = compare(pairs, (0.5, WRONG))
    assert (found["a"]["accuracy"], found["b"]["accuracy"]) == (1, 1)
    texts = dict.fromkeys(pairs.id, "a text")
    assert [len(listed) for listed in flips(pairs, texts, 5, (RIGHT + 0.01, WRONG)).values()] == [0, 4]


counts = st.integers(0, 60)


@given(counts, counts, counts, counts)
def test_a_comparison_the_other_way_round_is_its_mirror_image(
    both: int, only_a: int, only_b: int, neither: int
) -> None:
    if both + only_a + only_b + neither == 0:
        both = 1
    forth, back = compare(pairs_of(both, only_a, only_b, neither)), compare(pairs_of(both, only_b, only_a, neither))
    assert forth["difference"] == -back["difference"]
    assert forth["mcnemar_p"] == back["mcnemar_p"]
    assert (forth["a"], forth["b"]) == (back["b"], back["a"])
    for result in (forth, back):
        assert result["difference_low"] - 1e-12 <= result["difference"] <= result["difference_high"] + 1e-12


def test_a_run_compared_with_itself_does_not_differ() -> None:
    result = compare(pairs_of(both=9, only_a=0, only_b=0, neither=1))
    assert (result["difference"], result["difference_low"], result["difference_high"]) == (0, 0, 0)
    assert result["mcnemar_p"] == 1


def test_a_comparison_is_the_same_each_time() -> None:
    assert compare(pairs_of(50, 7, 3, 9)) == compare(pairs_of(50, 7, 3, 9))


def test_flips_are_listed_by_who_is_right_the_surest_first() -> None:
    a = predictions([0.6, 0.9, 0.1, 0.4, 0.8])
    b = predictions([0.4, 0.1, 0.9, 0.3, 0.7])
    texts = {f"{number:04}": f"text {number}" for number in range(5)}
    found = flips(pair(a, b, "test"), texts, 5)
    assert [review["id"] for review in found["only_a_right"]] == ["0001", "0000"]
    assert found["only_b_right"] == [
        {"id": "0002", "label": "positive", "score_a": 0.1, "score_b": 0.9, "text": "text 2"}
    ]
    assert [review["id"] for review in flips(pair(a, b, "test"), texts, 1)["only_a_right"]] == ["0001"]


def test_parameters_that_differ_are_named_by_their_dotted_key() -> None:
    a = {"seed": 1, "train": {"lr": 1e-4, "epochs": 3}, "cross_datasets": ["books"], "old": {"key": 1}}
    b = {"seed": 1, "train": {"lr": 3e-5, "epochs": 3}, "cross_datasets": ["books", "travel"]}
    assert changed_parameters(a, b) == {
        "cross_datasets": (["books"], ["books", "travel"]),
        "old.key": (1, None),
        "train.lr": (1e-4, 3e-5),
    }
    assert changed_parameters(a, a) == {}


REPORT = {
    "a": {"name": "main", "revision": "0123456789abcdef"},
    "b": {"name": "workspace", "revision": None},
    "datasets": {
        "test": compare(pairs_of(60, 1, 0, 39))
        | {
            "flips": {
                "only_a_right": [
                    {"id": "x", "label": "positive", "score_a": 0.9, "score_b": 0.2, "text": "so *good* | <b>"}
                ],
                "only_b_right": [],
            }
        }
    },
    "not_in_both": ["travel"],
    "parameters": {"train.lr": (1e-4, 3e-5), "train.dropout": (None, 0.1)},
}


def test_the_text_for_people_has_figures_parameters_and_flipped_reviews() -> None:
    text = text_of(REPORT, markdown=False)
    assert "A = main (0123456) and B = workspace" in text
    assert "0.610 (0.512 to 0.700)" in text
    assert "-0.010 (-0.030 to +0.000)" in text
    assert "In one of the runs only: travel" in text
    assert [line.split() for line in text.splitlines() if line.startswith("train.")] == [
        ["train.lr", "0.0001", "3e-05"],
        ["train.dropout", "0.1"],
    ]
    assert text.splitlines()[-1] == "- positive, score 0.900 -> 0.200: so *good* | <b>"


def test_in_markdown_tables_are_tables_and_reviews_are_shown_as_they_are() -> None:
    text = text_of(REPORT, markdown=True)
    assert "| train.lr" in text
    assert "## test: 1 right in A, wrong in B" in text
    assert text.splitlines()[-1].endswith(r"so \*good\* \| \<b\>")


def test_equal_parameters_are_said_to_be_equal() -> None:
    assert "No parameter differs." in text_of(REPORT | {"parameters": {}}, markdown=False)
