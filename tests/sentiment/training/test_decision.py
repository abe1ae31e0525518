from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sentiment.core.params import Params
from sentiment.metrics import as_written
from sentiment.model.decision import Decision
from sentiment.training.decision import ENOUGH, fit_decision, fit_threshold, fit_zone

SCORED = st.lists(st.tuples(st.sampled_from([0, 1]), st.floats(0, 1)), min_size=2, max_size=60)
MEASURES = {
    "accuracy": lambda labels, said: np.mean(labels == said),
    "balanced_accuracy": lambda labels, said: (said[labels == 1].mean() + (1 - said[labels == 0]).mean()) / 2,
    "f1": lambda labels, said: 2 * (labels * said).sum() / (labels.sum() + said.sum()),
    # Of what never changes the correlation is undefined, which counts as 0.
    "mcc": lambda labels, said: np.nan_to_num(np.corrcoef(labels, said)[0, 1]),
}


def calibrated(reviews: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and the scores by which they were drawn."""
    random = np.random.default_rng(seed)
    scores = as_written(random.random(reviews))
    return (random.random(reviews) < scores).astype(int), scores


@pytest.mark.parametrize("criterion", MEASURES)
@given(scored=SCORED)
def test_no_threshold_is_better_than_the_one_that_is_fitted(criterion: str, scored: list[tuple[int, float]]) -> None:
    labels, scores = (np.array(column) for column in zip(*scored, strict=True))
    assume(0 < labels.sum() < len(labels))
    scores = as_written(scores)
    threshold = fit_threshold(labels, scores, criterion)
    assert 0 < threshold < 1
    # All but those that call every review alike.
    others = np.append(scores[scores > scores.min()], 0.5)
    with np.errstate(invalid="ignore"):
        best, *values = [MEASURES[criterion](labels, (scores >= one).astype(int)) for one in (threshold, *others)]
    assert max(values) <= best + 1e-9


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken_half_way_between_scores() -> None:
    assert fit_threshold([0, 0, 1, 1], [0.1, 0.4, 0.6, 0.9], "f1") == 0.5
    assert fit_threshold([0, 0, 1, 1], [0.1, 0.2, 0.4, 0.9], "f1") == pytest.approx(0.3)
    assert fit_threshold([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], "mcc") == 0.5


def test_where_positive_is_rare_balanced_accuracy_wants_a_lower_threshold_than_accuracy() -> None:
    labels, scores = calibrated(20_000)
    rare = scores < 0.4
    fitted = {name: fit_threshold(labels[rare], scores[rare], name) for name in ("accuracy", "balanced_accuracy")}
    # Of calibrated scores below 0.4 none is a positive; the mean of both recalls is highest at the share of positives.
    assert fitted["accuracy"] >= 0.39
    assert fitted["balanced_accuracy"] == pytest.approx(labels[rare].mean(), abs=0.03)


@pytest.mark.parametrize("sure_at", [0.6, 0.75, 0.9])
def test_the_zone_of_calibrated_scores_is_where_they_are_less_sure_than_asked(sure_at: float) -> None:
    assert fit_zone(*calibrated(20_000), 0.5, sure_at) == pytest.approx((1 - sure_at, sure_at), abs=0.05)


def test_a_threshold_that_is_not_one_half_leaves_the_improbable_verdicts_unsure() -> None:
    low, high = fit_zone(*calibrated(20_000), 0.2, 0.75)
    assert low == pytest.approx(0.2, abs=0.001)
    assert high == pytest.approx(0.75, abs=0.05)


def test_a_promise_that_is_always_kept_leaves_no_zone_and_one_that_never_is_leaves_nothing_else() -> None:
    scores = np.linspace(0.01, 0.99, 200)
    labels = (scores >= 0.5).astype(int)
    assert fit_zone(labels, scores, 0.5, 0.99) == (0.5, 0.5)
    assert fit_zone(np.arange(200) % 2, scores, 0.5, 0.75) == (0, 1)


def test_each_label_has_an_end_of_its_own() -> None:
    scores = np.linspace(0.01, 0.99, 400)
    # Half of what is called positive is, and all of what is called negative.
    labels = np.where(scores >= 0.5, np.arange(400) % 2, 0)
    assert fit_zone(labels, scores, 0.5, 0.8) == (0.5, 1)


def test_too_few_reviews_make_no_verdict_sure() -> None:
    wrong, right = np.tile([0, 1], 40), np.ones(ENOUGH - 1, int)
    scores = np.concatenate([np.full(80, 0.6), np.full(ENOUGH - 1, 0.9), np.full(50, 0.1)])
    labels = np.concatenate([wrong, right, np.zeros(50, int)])
    assert fit_zone(labels, scores, 0.5, 0.8) == (0.5, 1)
    assert fit_zone(np.append(labels, 1), np.append(scores, 0.9), 0.5, 0.8) == (0.5, 0.9)


def test_of_a_label_with_too_few_verdicts_the_scores_are_taken_at_their_word() -> None:
    scores = np.concatenate([np.full(ENOUGH - 1, 0.55), np.full(ENOUGH - 1, 0.4)])
    labels = np.tile([0, 1], ENOUGH - 1)
    assert fit_zone(labels, scores, 0.5, 0.8) == pytest.approx((0.2, 0.8))
    assert fit_zone(labels, scores, 0.85, 0.8)[1] == 0.85


@given(SCORED, st.floats(0.001, 0.999), st.floats(0.5, 0.999))
def test_the_zone_holds_the_threshold_and_keeps_its_promise(
    scored: list[tuple[int, float]], threshold: float, sure_at: float
) -> None:
    labels, scores = (np.array(column) for column in zip(*scored * 5, strict=True))
    scores, threshold = as_written(scores), round(threshold, 6)
    low, high = fit_zone(labels, scores, threshold, sure_at)
    decision = Decision(threshold=threshold, low=low, high=high)
    for verdict in (0, 1):
        asked = decision.positive(scores) == verdict
        sure = asked & ~decision.unsure(scores)
        if asked.sum() >= ENOUGH and sure.any():
            assert sure.sum() >= ENOUGH
            assert (labels[sure] == verdict).mean() >= sure_at - 1e-9


def test_a_decision_has_the_threshold_that_is_asked_for(params_with: Callable[..., Params]) -> None:
    labels, scores = calibrated(2000)
    rare = scores < 0.4
    given_ = params_with(evaluate={"threshold": 0.35}).evaluate
    fitted = params_with(evaluate={"threshold": "fitted", "maximize": "f1"}).evaluate
    assert fit_decision(labels[rare], scores[rare], given_).threshold == 0.35
    assert fit_decision(labels[rare], scores[rare], fitted).threshold == fit_threshold(labels[rare], scores[rare], "f1")
