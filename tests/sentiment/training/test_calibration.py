from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params
from sentiment.metrics import evaluate, scores_of
from sentiment.model.length_drift import LengthDrift, load_length_drift
from sentiment.model.prediction import predict
from sentiment.text.encoding import Padding, load_tokenizer
from sentiment.training.build import build
from sentiment.training.calibration import LIMITS, divide_logits, fit_temperature
from tests.families import FAMILIES, Family

RANDOM = np.random.default_rng(0)
LOGITS = np.stack([np.zeros(20_000), RANDOM.normal(0, 2, 20_000)], axis=1).astype(np.float32)
LABELS = (RANDOM.random(20_000) < scores_of(LOGITS)).astype(np.int8)


@pytest.fixture(params=FAMILIES, ids=str)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


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


@pytest.mark.parametrize("pooling", ["first", pytest.param("mean", marks=pytest.mark.slow)])
def test_the_logits_of_a_model_are_divided_by_the_temperature_in_every_family(
    family: Family, pooling: str, tmp_path: Path, params_with: Callable[..., Params]
) -> None:
    folder = tmp_path / "pretrained"
    family.write(folder, real=False)
    tokenizer = load_tokenizer(folder)
    model = build(folder, tokenizer, params_with(train={"pooling": pooling}).train)
    ids = [[5, 6, 7, 8], [9, 10]]
    before = predict(model, ids, Padding.of(tokenizer), batch_size=1, precision="fp32")

    divide_logits(model, 2.5)

    after = predict(model, ids, Padding.of(tokenizer), batch_size=1, precision="fp32")
    np.testing.assert_allclose(after, before / 2.5, atol=1e-6)


def test_a_model_without_a_drift_has_no_file_and_a_saved_one_is_read_back(tmp_path: Path) -> None:
    assert load_length_drift(tmp_path) is None
    write_json(tmp_path / "length_drift.json", {"slope": -0.5, "tokens": 20.0})
    assert load_length_drift(tmp_path) == LengthDrift(slope=-0.5, tokens=20)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"slope": 0.2}, "tokens is missing: give it a value"),
        ({"slope": 0.2, "tokens": 0.0}, "tokens is 0.0, but must be greater than 0"),
        ({"slope": "0.2", "tokens": 3.0}, "slope is '0.2', but must be a valid number"),
    ],
)
def test_a_damaged_drift_is_refused(content: dict[str, object], message: str, tmp_path: Path) -> None:
    write_json(tmp_path / "length_drift.json", content)

    with pytest.raises(UserError, match=message):
        load_length_drift(tmp_path)


@given(slope=st.floats(-2, 2), factor=st.floats(0.01, 100))
def test_a_drift_grows_with_the_logarithm_of_the_length_from_nothing(slope: float, factor: float) -> None:
    logits = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)

    corrected = LengthDrift(slope=slope, tokens=20).correct(logits, [20, 20 * factor])

    assert corrected.dtype == np.float32
    np.testing.assert_array_equal(corrected[0], logits[0])
    moved = (corrected - logits)[1]
    assert moved[1] - moved[0] == pytest.approx(-slope * np.log(factor), abs=1e-5)
    assert moved.sum() == pytest.approx(0, abs=1e-5)
