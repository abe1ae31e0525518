"""Trainings whose batches go through the device in portions."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.model.memory import TOO_SMALL, Portion
from sentiment.training.gradients import accumulate
from tests.memory import room_for
from tests.sentiment.training import bench as benches
from tests.sentiment.training.bench import Bench

Room = Callable[[int], None]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    """Let all models that are built from now on run on a device that holds so many tokens."""
    build = benches.build
    with ExitStack() as hooks:

        def limit(tokens: int) -> None:
            def build_there(*arguments: Any) -> PreTrainedModel:
                model = build(*arguments)
                hooks.enter_context(room_for(model, tokens))
                return model

            monkeypatch.setattr(benches, "build", build_there)

        yield limit


def longest(bench: Bench) -> int:
    return max(map(len, bench.reviews["input_ids"].to_pylist()))


def difference(model: PreTrainedModel, other: PreTrainedModel) -> float:
    weights = other.state_dict()
    return max((weight - weights[name]).abs().max().item() for name, weight in model.state_dict().items())


def test_a_step_for_which_memory_is_too_small_learns_the_same_in_portions_and_says_so_once(
    bench: Bench, tiny: Callable[..., Params], room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    # The last batch has one row.
    bench.reviews = bench.reviews.slice(0, 57)
    params = tiny(dropout=0.0, lr=1e-3)
    model, metrics = bench.train(params, "whole")
    assert "memory is too small" not in capsys.readouterr().out

    room(3 * longest(bench))
    portioned, found = bench.train(params, "portioned")

    said = capsys.readouterr().out
    assert said.count("memory is too small for all reviews of train.batch_size at once") == 1
    assert said.count("memory is too small for all reviews of evaluate.batch_size at once") == 1
    assert found["validation"] == pytest.approx(metrics["validation"], abs=1e-4)
    assert bench.curve("portioned", "train/loss") == pytest.approx(bench.curve("whole", "train/loss"), abs=1e-4)
    assert 0 < difference(portioned, model) < 1e-4


def test_the_rows_that_are_found_may_as_well_be_given(bench: Bench, tiny: Callable[..., Params], room: Room) -> None:
    given, _ = bench.train(tiny(device_batch_size=2), "given")
    room(3 * longest(bench))
    found, _ = bench.train(tiny(), "found")
    assert difference(found, given) == 0


@pytest.mark.parametrize("stop", [6, pytest.param(3, marks=pytest.mark.slow), pytest.param(11, marks=pytest.mark.slow)])
def test_a_training_in_portions_is_continued_to_the_same_bytes(
    bench: Bench, tiny: Callable[..., Params], room: Room, stop: int
) -> None:
    # Only the longest batches are too large, so that a continued training must be told what was found.
    room(8 * longest(bench) - 8)
    model, metrics = bench.train(tiny(), "whole")
    bench.interrupt(tiny(), "broken", stop)
    again, same = bench.train(tiny(), "broken")
    assert difference(again, model) == 0
    assert same == metrics
    assert bench.curves("broken") == bench.curves("whole")


def test_an_attempt_that_fails_half_way_leaves_no_trace() -> None:
    model, attempts = nn.Linear(1, 1), []

    def learn(*, fail: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        torch.manual_seed(1)
        portion = Portion(4, "train.batch_size")
        portion.rows = 4 if fail else 2

        def backward(part: dict[str, torch.Tensor], weight: float) -> torch.Tensor:
            attempts.append(len(part["input_ids"]))
            loss = (model(part["input_ids"] * torch.rand(())) * weight).sum()
            loss.backward()
            if fail and len(attempts) == 1:
                raise torch.OutOfMemoryError("out of memory")
            return loss.detach()

        loss = accumulate(model, {"input_ids": torch.arange(4.0).reshape(4, 1)}, 4, portion, backward)
        assert model.weight.grad is not None
        return loss, model.weight.grad.clone(), torch.rand(3)

    after_a_failure, at_once = learn(fail=True), learn(fail=False)
    assert attempts == [4, 2, 2, 2, 2]
    assert all(torch.equal(found, expected) for found, expected in zip(after_a_failure, at_once, strict=True))


def test_no_room_for_a_single_review_is_said_with_the_remedies(
    bench: Bench, tiny: Callable[..., Params], room: Room
) -> None:
    room(1)
    with pytest.raises(UserError) as caught:
        bench.train(tiny(), "run")
    assert str(caught.value) == TOO_SMALL
