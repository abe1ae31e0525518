from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel, TrainerControl, TrainerState, TrainingArguments

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.model.memory import Portion
from sentiment.text.encoding import Padding
from sentiment.training import budget
from sentiment.training.budget import FORWARD, MARGIN, TimeLimit, fitting_steps, measured_speed

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
    speed = measured_speed(model, padding, rows, [np.arange(8), np.arange(8, 16)], "fp32", portion=Portion(8, ""))

    assert speed > 0
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


@pytest.fixture
def limit(params_with: Callable[..., Params], monkeypatch: pytest.MonkeyPatch) -> Callable[..., TimeLimit]:
    """A time limit of 100 equal steps on a quiet machine of two processors."""
    monkeypatch.setattr(budget.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(budget.os, "getloadavg", lambda: (2.0, 2.0, 2.0), raising=False)

    def make(costs: np.ndarray | None = None, **train: object) -> TimeLimit:
        return TimeLimit(params_with(train=train).train, np.full(100, 64) if costs is None else costs)

    return make


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[TimeLimit, dict[int, float]], None]:
    """Let each step take so many seconds, one after another."""

    def run(limit: TimeLimit, seconds: dict[int, float]) -> None:
        now = 1000.0
        monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: now))
        state = TrainerState(max_steps=len(limit.step_costs))
        arguments = (TrainingArguments("unused"), state, TrainerControl())
        limit.on_train_begin(*arguments)
        for step, taken in seconds.items():
            state.global_step = step - 1
            limit.on_step_begin(*arguments)
            now, state.global_step = now + taken, step
            limit.on_step_end(*arguments)

    return run


Limit = Callable[..., TimeLimit]
Clock = Callable[[TimeLimit, dict[int, float]], None]
SLOW = {1: 50.0} | dict.fromkeys(range(2, 11), 10.0)
"""50 + 99 * 10 s are 17.3 min."""


def test_a_training_that_will_not_fit_goes_on_and_says_once_what_would_shorten_it(
    limit: Limit, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock(limit(max_minutes=1, over_time="run"), SLOW | dict.fromkeys(range(11, 100), 60.0))
    assert capsys.readouterr().out.splitlines() == [
        "training takes about 17.3 min at 6 tokens/s, validation aside",
        "that is more than train.max_minutes of 1, and goes on as train.over_time is run; to shorten it, lower "
        "subsample.train_size, tokenize.max_length or train.epochs, or let train.over_time be shorten",
        "training now takes about 92.3 min at 1 tokens/s, validation aside",
    ]


def test_where_it_shall_stop_it_stops_early_with_the_remedies(limit: Limit, clock: Clock) -> None:
    clock(limit(max_minutes=17.4, over_time="stop"), SLOW)
    with pytest.raises(UserError) as caught:
        clock(limit(max_minutes=17.2, over_time="stop"), SLOW)
    assert str(caught.value) == (
        "training would take about 17 min, but train.max_minutes is 17.2: lower subsample.train_size, "
        "tokenize.max_length or train.epochs, raise the limit, or let train.over_time be run"
    )


def test_a_prediction_rests_on_seconds_of_work_after_the_first_steps(
    limit: Limit, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock(limit(), {1: 50.0, 2: 50.0} | dict.fromkeys(range(3, 17), 1.0))
    assert capsys.readouterr().out == ""
    clock(limit(), {1: 50.0, 2: 50.0} | dict.fromkeys(range(3, 18), 1.0))
    assert "about 3.3 min at 64 tokens/s" in capsys.readouterr().out


def test_a_prediction_that_turns_out_wrong_is_made_again_and_names_the_load(
    limit: Limit, clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = dict.fromkeys(range(1, 18), 1.0)
    clock(limit(max_minutes=60), quiet | dict.fromkeys(range(18, 28), 1.2))
    assert capsys.readouterr().out.count("min at") == 1
    monkeypatch.setattr(budget.os, "getloadavg", lambda: (4.06, 2.0, 1.0))
    clock(limit(max_minutes=60), quiet | dict.fromkeys(range(18, 28), 5.0))
    _, again, *_ = capsys.readouterr().out.splitlines()
    assert again.startswith("training now takes about ")
    assert again.endswith(" (other programs slow it down: a load of 4.1 on 2 processors)")


def test_each_of_several_runs_has_its_share_of_the_time(
    limit: Limit, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock(limit(max_minutes=34.8, runs=2, over_time="stop"), SLOW)
    assert "training takes about 2 times 17.3 min at 6 tokens/s" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"would take about 35 min, but train.max_minutes is 34.4: lower train.runs, "):
        clock(limit(max_minutes=34.4, runs=2, over_time="stop"), SLOW)
    with pytest.raises(UserError, match=r"^train.max_minutes of 3, shared by 2 runs, are over at step 3 of 100: "):
        clock(limit(max_minutes=3, runs=2, over_time="stop"), {1: 1, 2: 89, 3: 0.1})


def test_the_prediction_goes_by_tokens_and_counts_from_where_a_run_continues(
    limit: Limit, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    costs = np.array([1000] * 50 + [10] * 35 + [40] * 15)
    # Continued after step 60: 17 steps of 10 tokens take 17 s, and 8 * 10 + 15 * 40 tokens are left.
    clock(limit(costs), dict.fromkeys(range(61, 78), 1.0))
    assert "training takes about 1.4 min at 10 tokens/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("over_time", "remedy"),
    [
        (
            "stop",
            "with a higher limit, or train.over_time: run, the same command continues from the newest checkpoint, if "
            "there was one already",
        ),
        (
            "shorten",
            "the same command continues from the newest checkpoint, if there was one already; another limit starts "
            "anew, as the steps were counted for this one",
        ),
    ],
)
def test_a_training_whose_time_is_over_stops_and_says_how_to_go_on(
    limit: Limit, clock: Clock, over_time: str, remedy: str
) -> None:
    with pytest.raises(UserError) as caught:
        clock(limit(max_minutes=1.5, over_time=over_time), {1: 1, 2: 89, 3: 0.1})
    assert str(caught.value) == f"train.max_minutes of 1.5 are over at step 3 of 100: {remedy}"
