"""Several trainings of a tiny model, whose average is kept."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, set_seed

from sentiment.core.params import Params
from sentiment.training import runs as several
from sentiment.training.budget import TimeLimit
from sentiment.training.build import build
from sentiment.training.fine_tune import fine_tune
from tests.sentiment.training.bench import Bench

STEPS = 16
"""Of one run."""


def alone(bench: Bench, params: Params, seed: int) -> PreTrainedModel:
    """Return what one training makes of the start of `params.seed` with the batches and the dropout of another seed."""
    set_seed(params.seed)
    model = build(bench.pretrained, bench.tokenizer, params.train)
    seeded = params.model_copy(update={"seed": seed})
    set_seed(seed)
    folder = bench.folder / f"alone {seed}"
    fine_tune(model, bench.padding, bench.reviews, bench.reviews, seeded, checkpoints=folder, curves=folder / "curves")
    return model


def same(model: PreTrainedModel, other: PreTrainedModel) -> bool:
    return all(torch.equal(weight, other.state_dict()[name]) for name, weight in model.state_dict().items())


def test_the_weights_are_the_average_of_trainings_with_one_start_and_seeds_in_a_row(
    bench: Bench, tiny: Callable[..., Params]
) -> None:
    model, _ = bench.train(tiny(runs=3), "soup")
    runs = [alone(bench, tiny(), seed).state_dict() for seed in (3, 4, 5)]

    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, sum(run[name] for run in runs) / 3, atol=1e-6, rtol=0)
    assert not torch.equal(runs[0]["head.weight"], runs[1]["head.weight"])


def test_steps_are_those_of_all_runs_curves_the_first_ones_and_no_runs_validation_is_the_averages(
    bench: Bench, tiny: Callable[..., Params]
) -> None:
    bench.train(tiny(), "single")
    _, metrics = bench.train(tiny(runs=2), "soup")

    assert "validation" not in metrics
    assert (metrics["steps"], metrics["steps_asked"], metrics["validations"]) == (2 * STEPS, 2 * STEPS, 8)
    assert bench.curves("soup") == bench.curves("single")


@pytest.mark.slow
@pytest.mark.parametrize("stop", [3, STEPS, STEPS + 6, 2 * STEPS])
def test_an_interrupted_one_continues_the_run_it_was_in_and_gives_the_same_bytes(
    bench: Bench, tiny: Callable[..., Params], stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Low-rank updates start at random.
    params = tiny(runs=2, freeze="encoder", lora_rank=2)
    model, metrics = bench.train(params, "whole")
    seen: list[None] = []

    def interrupt(*_: Any, **__: Any) -> None:
        seen.append(None)
        if len(seen) == stop:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TimeLimit, "on_step_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            bench.train(params, "broken")
    monkeypatch.setattr(TimeLimit, "on_step_end", lambda *_, **__: seen.append(None))
    again, same_metrics = bench.train(params, "broken")

    assert same(again, model)
    assert same_metrics == metrics
    assert bench.curves("broken") == bench.curves("whole")
    # Of a run at most the four steps since its last checkpoint are taken again.
    assert len(seen) <= 2 * STEPS + 4


def test_finished_runs_are_not_run_again(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, metrics = bench.train(tiny(runs=2), "soup")
    monkeypatch.setattr(several, "fine_tune", lambda *_, **__: pytest.fail("both runs are finished"))

    again, same_metrics = bench.train(tiny(runs=2), "soup")

    assert same(again, model)
    assert same_metrics == metrics


def test_low_rank_updates_are_averaged_too_and_leave_a_plain_model(bench: Bench, tiny: Callable[..., Params]) -> None:
    params = tiny(runs=2, freeze="encoder", lora_rank=2)
    model, metrics = bench.train(params, "soup")
    runs = [alone(bench, tiny(freeze="encoder", lora_rank=2), seed).state_dict() for seed in (3, 4)]

    assert model.state_dict().keys() == runs[0].keys()
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, (runs[0][name] + runs[1][name]) / 2, atol=1e-6, rtol=0)
    assert metrics["parameters"] == model.num_parameters()
