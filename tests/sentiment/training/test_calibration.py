from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.metrics import evaluate, scores_of
from sentiment.model.length_drift import Calibration, LengthDrift, load_calibration
from sentiment.training.calibration import LIMITS, fit_temperature

RANDOM = np.random.default_rng(0)
LOGITS = np.stack([np.zeros(20_000), RANDOM.normal(0, 2, 20_000)], axis=1).astype(np.float32)
LABELS = (RANDOM.random(20_000) < scores_of(LOGITS)).astype(np.int8)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor_that_the_logits_were_multiplied_by(factor: float) -> None:
    assert fit_temperature(LABELS, LOGITS * factor) == pytest.approx(factor, rel=0.05)


def test_over_confident_scores_are_calibrated_by_it_without_moving_a_verdict() -> None:
    logits = LOGITS * 3
    temperature = fit_temperature(LABELS[:1000], logits[:1000])
    before, after = (evaluate(LABELS[1000:], scores_of(logits[1000:] / t)) for t in (1.0, temperature))

    assert after["ece"] < before["ece"] / 3
    assert after["brier"] < before["brier"]
    assert after["log_loss"] < before["log_loss"]
    assert after["accuracy"] == before["accuracy"]


@given(st.integers(2, 200))
def test_reviews_that_are_all_right_give_a_certainty_within_bounds(each: int) -> None:
    labels = np.repeat([0, 1], each)
    logits = np.where(np.repeat([0, 1], each)[:, None] == [0, 1], 5.0, -5.0)
    temperature = fit_temperature(labels, logits)

    # n reviews of a label, all right, allow for a certainty of n + 1 out of n + 2.
    assert scores_of(logits / temperature)[-1] == pytest.approx((each + 1) / (each + 2), abs=1e-4)


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.floats(-1e4, 1e4, width=32)), min_size=2, max_size=40))
def test_the_temperature_is_within_its_limits_whatever_the_logits(scored: list[tuple[int, float]]) -> None:
    labels, odds = (np.array(column) for column in zip(*scored, strict=True))
    temperature = fit_temperature(labels, np.stack([-odds, odds], axis=1))

    assert LIMITS[0] <= temperature <= LIMITS[1]


def test_logits_that_are_always_wrong_get_the_highest_temperature() -> None:
    assert fit_temperature([0, 1] * 20, np.array([[-1.0, 1.0], [1.0, -1.0]] * 20)) == pytest.approx(LIMITS[1], rel=1e-3)


def test_the_saved_temperature_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "calibration.json", {"temperature": 1.25})

    assert load_calibration(tmp_path).temperature == 1.25


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"temperature": 0}, "temperature is 0, but must be greater than 0"),
        ({"temperature": "1.5"}, "temperature is '1.5', but must be a valid number"),
        ({}, "temperature is missing: give it a value"),
        ({"temperature": 1.5, "length_drift": {"slope": 0.2}}, "length_drift.tokens is missing: give it a value"),
        (
            {"temperature": 1.5, "length_drift": {"slope": 0.2, "tokens": 0.0}},
            "tokens is 0.0, but must be greater than 0",
        ),
    ],
)
def test_a_damaged_temperature_is_refused(content: dict[str, object], message: str, tmp_path: Path) -> None:
    write_json(tmp_path / "calibration.json", content)

    with pytest.raises(UserError, match=message):
        load_calibration(tmp_path)


@given(slope=st.floats(-2, 2), factor=st.floats(0.01, 100))
def test_a_drift_grows_with_the_logarithm_of_the_length_from_nothing(slope: float, factor: float) -> None:
    logits = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)

    corrected = LengthDrift(slope=slope, tokens=20).correct(logits, [20, 20 * factor])

    assert corrected.dtype == np.float32
    np.testing.assert_array_equal(corrected[0], logits[0])
    moved = (corrected - logits)[1]
    assert moved[1] - moved[0] == pytest.approx(-slope * np.log(factor), abs=1e-5)
    assert moved.sum() == pytest.approx(0, abs=1e-5)


def test_logits_without_a_known_drift_stay_as_they_are() -> None:
    logits = np.array([[1.0, -2.0]], np.float32)

    assert Calibration(temperature=2).without_drift(logits, [[1, 2, 3]]) is logits
