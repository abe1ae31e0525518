from collections.abc import Callable

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.text.encoding import Padding
from sentiment.training.budget import FORWARD, MARGIN, fitting_steps, measured_speed

COSTS = st.lists(st.integers(1, 10_000), min_size=20, max_size=200).map(np.array)


@given(COSTS, st.integers(0, 1000), st.floats(1.0, 1e4), st.floats(0.1, 100.0))
def test_the_steps_that_fit_are_as_many_as_the_time_allows(
    costs: np.ndarray, validation_tokens: int, speed: float, minutes: float
) -> None:
    tokens = minutes * 60 * MARGIN * speed - validation_tokens * FORWARD
    if costs[:10].sum() > tokens:
        with pytest.raises(UserError):
            fitting_steps(speed, costs, validation_tokens, minutes)
        return
    steps = fitting_steps(speed, costs, validation_tokens, minutes)
    assert costs[:steps].sum() <= tokens
    assert steps == len(costs) or costs[: steps + 1].sum() > tokens


def test_a_budget_that_hardly_any_step_fits_into_is_refused_with_the_remedies() -> None:
    with pytest.raises(UserError) as caught:
        fitting_steps(10.0, np.full(1000, 600), 0, 2)
    assert str(caught.value) == (
        "training would take about 1000.0 min, and train.max_minutes of 2 leave no time for 10 of its 1,000 steps: "
        "raise it, or lower tokenize.max_length or train.batch_size"
    )


def test_what_fits_is_said_with_minutes_and_speed(capsys: pytest.CaptureFixture[str]) -> None:
    assert fitting_steps(10.0, np.full(100, 600), 0, 20) == 18
    assert fitting_steps(10.0, np.full(100, 600), 0, 200) == 100
    assert capsys.readouterr().out.splitlines() == [
        "all 100 steps would take about 100.0 min at 10 tokens/s: 18 of them fit into train.max_minutes of 20",
        "all 100 steps would take about 100.0 min at 10 tokens/s: they fit into train.max_minutes of 200",
    ]


def test_timing_a_few_batches_changes_neither_the_model_nor_what_is_drawn_next(
    build_with: Callable[..., PreTrainedModel], padding: Padding, encoded: object
) -> None:
    model = build_with(dropout=0.5)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    rows = Dataset(encoded.rename_columns(["input_ids", "labels"]))
    torch.manual_seed(5)
    expected = torch.rand(3)

    torch.manual_seed(5)
    speed = measured_speed(model, padding, rows, [np.arange(8), np.arange(8, 16)], "fp32")

    assert speed > 0
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
