import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sentiment.evaluation.selective import POINTS, risk_coverage, selective, sure_answers

SCORED = st.lists(st.tuples(st.sampled_from([0, 1]), st.floats(0, 1)), min_size=2, max_size=60)


def test_figures_of_a_small_case_worked_out_by_hand() -> None:
    # From the surest on: right, right, wrong, right.
    labels, scores = [1, 0, 0, 1], [0.99, 0.05, 0.9, 0.6]
    curve = risk_coverage(labels, scores)
    assert [point["coverage"] for point in curve] == [0.25, 0.5, 0.75, 1]
    assert [point["accuracy"] for point in curve] == pytest.approx([1, 1, 2 / 3, 3 / 4])
    assert selective(labels, scores) == pytest.approx(
        {"coverage_at_95": 0.5, "coverage_at_99": 0.5, "aurc": (0 + 0 + 1 / 3 + 1 / 4) / 4}
    )


def test_equally_sure_answers_come_together_whatever_their_order() -> None:
    # 0.1 and 0.9 are equally sure; one of the three is wrong.
    scores = [0.9, 0.1, 0.9, 0.6]
    for labels in ([1, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]):
        assert selective(labels, scores)["aurc"] == pytest.approx((1 / 3 + 1 / 3 + 1 / 3 + 1 / 4) / 4)


def test_an_accuracy_that_no_answers_reach_has_no_coverage_and_one_that_all_reach_has_it_whole() -> None:
    never, always = selective([0, 1], [0.9, 0.2]), selective([1, 0], [0.9, 0.2])
    assert never == {"coverage_at_95": 0, "coverage_at_99": 0, "aurc": 1}
    assert always == {"coverage_at_95": 1, "coverage_at_99": 1, "aurc": 0}


def test_a_verdict_by_another_threshold_is_as_sure_as_its_label_is_probable() -> None:
    # 0.3 is called positive, and is the least sure: the one error is held back first.
    assert selective([0, 1, 0], [0.3, 0.8, 0.1], threshold=0.25)["coverage_at_99"] == pytest.approx(2 / 3)


@given(SCORED)
def test_the_curve_ends_with_the_accuracy_of_all_and_its_mean_risk_is_the_area(scored: list[tuple[int, float]]) -> None:
    labels, scores = (np.array(column) for column in zip(*scored, strict=True))
    curve = risk_coverage(labels, scores)
    assert curve[-1]["coverage"] == 1
    assert curve[-1]["accuracy"] == pytest.approx(((scores >= 0.5) == labels).mean())
    figures = selective(labels, scores)
    assert figures["aurc"] == pytest.approx(1 - np.mean([point["accuracy"] for point in curve]))
    assert 0 <= figures["coverage_at_99"] <= figures["coverage_at_95"] <= 1


@given(SCORED)
def test_ranking_the_errors_last_is_best(scored: list[tuple[int, float]]) -> None:
    labels, scores = (np.array(column) for column in zip(*scored, strict=True))
    right = (scores >= 0.5) == labels
    assume(right.any())
    best = np.where(right, 0.9, 0.6)
    assert (
        selective(labels, np.where(scores >= 0.5, best, 1 - best))["aurc"] <= selective(labels, scores)["aurc"] + 1e-12
    )


def test_a_long_curve_is_drawn_by_few_points() -> None:
    random = np.random.default_rng(0)
    curve = risk_coverage(random.integers(0, 2, 5000), random.random(5000))
    assert len(curve) == POINTS
    assert (curve[0]["coverage"], curve[-1]["coverage"]) == (1 / POINTS, 1)


def test_sure_answers_have_their_share_and_accuracy_and_none_have_no_accuracy() -> None:
    labels, scores = [1, 0, 0, 1], [0.9, 0.1, 0.8, 0.6]
    assert sure_answers(labels, scores, np.array([False, False, True, True])) == {"coverage": 0.5, "accuracy": 1}
    assert sure_answers(labels, scores, np.ones(4, bool)) == {"coverage": 0}
