import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sentiment.metrics import (
    BINS,
    ROC_POINTS,
    as_written,
    confusion,
    evaluate,
    points,
    proportion,
    reliability,
    roc,
    scores_of,
    wilson,
)

SCORED = st.lists(st.tuples(st.sampled_from([0, 1]), st.floats(0, 1)), min_size=2, max_size=60)


def columns(scored: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = (np.array(column) for column in zip(*scored, strict=True))
    assume(0 < labels.sum() < len(labels))
    return labels, scores


@given(trials=st.integers(1, 100_000), share=st.floats(0, 1))
def test_the_interval_contains_the_share_and_stays_within_0_and_1(trials: int, share: float) -> None:
    successes = round(trials * share)
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert high - low > 0


def test_the_interval_is_that_of_the_literature() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    for (successes, trials), expected in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(successes, trials) == pytest.approx(expected, abs=5e-5)


def test_a_point_of_a_plot_has_its_name_its_proportion_with_the_interval_and_n() -> None:
    rows = {"short": proportion("accuracy", 3, 4) | {"n": 4}, "long": proportion("accuracy", 1, 2) | {"n": 2}}
    low, high = wilson(3, 4)
    drawn = points("slice", rows)
    assert drawn[0] == {"slice": "short", "accuracy": 0.75, "low": low, "high": high, "n": 4}
    assert [point["slice"] for point in drawn] == ["short", "long"]


@given(st.lists(st.floats(0, 1), min_size=1))
def test_scores_are_written_with_six_digits_and_never_as_certain(scores: list[float]) -> None:
    once = as_written(scores)
    assert once.min() >= 1e-6
    assert once.max() <= 1 - 1e-6
    assert [round(score, 6) for score in once.tolist()] == once.tolist() == as_written(once).tolist()
    np.testing.assert_allclose(once, scores, atol=1.5e-6)


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1))
def test_scores_are_the_softmax_of_the_logits_without_overflow(pairs: list[tuple[float, float]]) -> None:
    logits = np.array(pairs, np.float32)
    with np.errstate(over="raise", invalid="raise"):
        scores = scores_of(logits)
    assert scores.dtype == np.float64
    differences = logits[:, 1].astype(float) - logits[:, 0].astype(float)
    np.testing.assert_allclose(scores, [1 / (1 + math.exp(min(700, -d))) for d in differences], atol=1e-12)


def test_metrics_of_a_small_case_worked_out_by_hand() -> None:
    labels = [1, 1, 1, 0, 0, 1]
    scores = [0.9, 0.8, 0.4, 0.3, 0.6, 0.5]
    metrics = evaluate(labels, scores)
    # Predicted: 1 1 0 0 1 1; the third and the fifth are wrong.
    chosen = ("accuracy", "precision", "recall", "f1", "n", "positives")
    assert {name: metrics[name] for name in chosen} == pytest.approx(
        {"accuracy": 4 / 6, "precision": 3 / 4, "recall": 3 / 4, "f1": 3 / 4, "n": 6, "positives": 4}
    )
    # 3 of 4 positives and 1 of 2 negatives are found.
    assert metrics["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert metrics["mcc"] == pytest.approx((3 * 1 - 1 * 1) / math.sqrt(4 * 4 * 2 * 2))
    # At the scores of the positives 1 of 1, 2 of 2, 3 of 4 and 4 of 5 are positive.
    assert metrics["average_precision"] == pytest.approx((1 + 1 + 3 / 4 + 4 / 5) / 4)
    # Of the 8 pairs of a positive and a negative, 6 are in the right order.
    assert metrics["roc_auc"] == pytest.approx(6 / 8)
    likelihoods = [0.9, 0.8, 0.4, 0.7, 0.4, 0.5]
    assert metrics["log_loss"] == pytest.approx(-np.log(likelihoods).mean())
    assert metrics["brier"] == pytest.approx(np.square(np.subtract(1, likelihoods)).mean())
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == wilson(4, 6)


def test_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    labels, scores = [1, 1, 0, 0], [0.98, 0.98, 0.98, 0.32]
    assert reliability(labels, scores) == [
        {"count": 1, "confidence": pytest.approx(0.68), "accuracy": 1.0},
        {"count": 3, "confidence": pytest.approx(0.98), "accuracy": pytest.approx(2 / 3)},
    ]
    assert evaluate(labels, scores)["ece"] == pytest.approx((1 * 0.32 + 3 * (0.98 - 2 / 3)) / 4)


@given(SCORED)
def test_every_metric_is_a_finite_number_in_its_range(scored: list[tuple[int, float]]) -> None:
    metrics: dict[str, Any] = evaluate(*columns(scored))
    assert all(math.isfinite(value) for value in metrics.values())
    assert -1 <= metrics["mcc"] <= 1
    shares = metrics.keys() - {"log_loss", "n", "positives", "mcc"}
    assert all(0 <= metrics[name] <= 1 for name in shares)
    assert metrics["accuracy_low"] <= metrics["accuracy"] + 1e-12
    assert metrics["accuracy"] - 1e-12 <= metrics["accuracy_high"]


@given(SCORED)
def test_plots_count_every_review_once(scored: list[tuple[int, float]]) -> None:
    labels, scores = columns(scored)
    bins = reliability(labels, scores)
    assert sum(part["count"] for part in bins) == len(labels)
    assert len(bins) <= BINS
    assert all(0.5 <= part["confidence"] <= 1 for part in bins)
    cells = confusion(labels, scores)
    assert [(cell["actual"], cell["predicted"]) for cell in cells] == [
        ("negative", "negative"),
        ("negative", "positive"),
        ("positive", "negative"),
        ("positive", "positive"),
    ]
    hits = cells[0]["count"] + cells[3]["count"]
    assert hits / len(labels) == evaluate(labels, scores)["accuracy"]
    assert cells[2]["count"] + cells[3]["count"] == labels.sum()


def test_a_score_of_one_half_predicts_positive() -> None:
    assert evaluate([1, 0], [0.5, 0.49])["accuracy"] == 1
    assert [cell["count"] for cell in confusion([1, 0], [0.5, 0.49])] == [1, 0, 0, 1]
    assert reliability([1], [0.5]) == [{"count": 1, "confidence": 0.5, "accuracy": 1.0}]


def test_a_threshold_moves_the_verdicts_and_nothing_that_looks_at_the_scores_alone() -> None:
    labels, scores = [1, 0, 1, 0], [0.9, 0.6, 0.4, 0.1]
    half, high = evaluate(labels, scores), evaluate(labels, scores, 0.6)
    assert evaluate(labels, scores, 0.61)["precision"] == 1
    assert high == half
    moved = {name for name, value in evaluate(labels, scores, 0.61).items() if value != half[name]}
    assert moved <= {"accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy", "precision", "f1", "mcc"}
    assert [cell["count"] for cell in confusion(labels, scores, 0.61)] == [2, 0, 1, 1]


def test_full_confidence_shares_the_highest_bin() -> None:
    assert [part["count"] for part in reliability([1, 0, 1], [1.0, 0.0, 0.96])] == [3]


def test_the_roc_curve_runs_from_corner_to_corner_in_few_points() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 5000)
    points = roc(labels, random.random(5000))
    assert len(points) <= ROC_POINTS
    assert points[0] == {"false_positive_rate": 0.0, "true_positive_rate": 0.0}
    assert points[-1] == {"false_positive_rate": 1.0, "true_positive_rate": 1.0}
    rates = [[point[name] for point in points] for name in ("false_positive_rate", "true_positive_rate")]
    assert all(rate == sorted(rate) for rate in rates)
