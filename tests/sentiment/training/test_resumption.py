"""Trainings of a tiny model that are interrupted, continued, or shortened to fit their time."""

import re
import resource
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import Trainer

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.training import budget, fine_tune
from sentiment.training.batches import LengthBucketSampler
from sentiment.training.checkpoints import newest_complete
from tests.sentiment.training.bench import TINY, Bench

SHORT = TINY
"""16 steps, each in the curves; checkpoints at 4, 8, 12 and 16."""
LONG = TINY | {"epochs": 8, "batch_size": 5, "validations_per_epoch": 1}
"""104 steps, every other one in the curves; checkpoints at 13, 26 and so on."""
LORA = SHORT | {"freeze": "encoder", "lora_rank": 2}
"""As SHORT, but only low-rank updates and the head learn."""
NAMES = {id(SHORT): "short", id(LONG): "long", id(LORA): "LoRA"}


@pytest.mark.parametrize(
    "case",
    [
        (SHORT, 6, 4),
        (SHORT, None, 16),
        (LORA, 6, 4),
        *(
            pytest.param(case, marks=pytest.mark.slow)
            for case in [(SHORT, 3, None), (SHORT, 11, 8), (SHORT, 16, 12), (LONG, 20, 13)]
        ),
    ],
    ids=lambda case: f"{NAMES[id(case[0])]} stopped at {case[1]} continued from {case[2]}",
)
def test_a_continued_training_gives_the_bytes_of_an_uninterrupted_one(
    bench: Bench, tiny: Callable[..., Params], capsys: pytest.CaptureFixture[str], case: tuple[dict, int, int]
) -> None:
    train, stop, continued = case
    params = tiny(**train)
    model, metrics = bench.train(params, "whole")
    if stop:
        bench.interrupt(params, "broken", stop)
    else:
        # Stopped between the end of the training and the saving of the model.
        bench.train(params, "broken")
    capsys.readouterr()
    model_again, metrics_again = bench.train(params, "broken")
    found = re.findall(r"continuing from .*checkpoint-(\d+)$", capsys.readouterr().out, re.MULTILINE)
    assert found == ([str(continued)] if continued else [])
    weights, weights_again = model.state_dict(), model_again.state_dict()
    assert [name for name, weight in weights.items() if not torch.equal(weight, weights_again[name])] == []
    assert metrics_again == metrics
    assert bench.curves("broken") == bench.curves("whole")


@pytest.mark.parametrize("lost", ["trainer_state.json", "average.safetensors"])
def test_an_incomplete_newest_checkpoint_is_discarded_and_the_older_used(
    bench: Bench, tiny: Callable[..., Params], capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    model, _ = bench.train(tiny(), "whole")
    bench.interrupt(tiny(), "broken", 10)
    (bench.checkpoints("broken") / "checkpoint-8" / lost).unlink()
    model_again, _ = bench.train(tiny(), "broken")
    assert re.search(r"continuing from .*checkpoint-4$", capsys.readouterr().out, re.MULTILINE)
    assert all(torch.equal(weight, model_again.state_dict()[name]) for name, weight in model.state_dict().items())


def test_a_disk_that_is_full_ends_it_in_one_sentence_and_leaves_the_older_checkpoint(
    bench: Bench,
    tiny: Callable[..., Params],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],  # in memory, so that progress bars have room
) -> None:
    model, _ = bench.train(tiny(), "whole")
    free, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    save = Trainer._save_checkpoint

    def save_on_a_full_disk(trainer: Trainer, *args: Any) -> None:
        if trainer.state.global_step > 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, most))
        try:
            save(trainer, *args)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (free, most))

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_save_checkpoint", save_on_a_full_disk)
        with pytest.raises(UserError) as caught:
            bench.train(tiny(), "broken")
    assert str(caught.value).startswith(f"no checkpoint can be saved in {bench.checkpoints('broken')}: ")
    assert "\n" not in str(caught.value)
    assert newest_complete(bench.checkpoints("broken")) == bench.checkpoints("broken") / "checkpoint-4"

    model_again, _ = bench.train(tiny(), "broken")
    assert all(torch.equal(weight, model_again.state_dict()[name]) for name, weight in model.state_dict().items())


def test_a_training_over_its_time_can_be_continued_with_a_higher_limit(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A clock that is a minute on whenever it is looked at.
    minutes = count()
    monkeypatch.setattr(budget, "TIMED_SECONDS", float("inf"))
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: 60.0 * next(minutes)))
    with pytest.raises(UserError, match=r"^train\.max_minutes of 12 are over at step \d+ of 16: "):
        bench.train(tiny(max_minutes=12, over_time="stop"), "run")
    monkeypatch.undo()
    assert bench.checkpoints("run").joinpath("checkpoint-4").is_dir()
    assert bench.train(tiny(), "run")[1]["steps"] == 16


def test_a_training_that_fits_its_budget_is_what_it_is_without_one(bench: Bench, tiny: Callable[..., Params]) -> None:
    model, metrics = bench.train(tiny(), "without")
    fitted, same = bench.train(tiny(over_time="shorten"), "with")
    assert same == metrics
    assert bench.curves("with") == bench.curves("without")
    assert all(torch.equal(weight, fitted.state_dict()[name]) for name, weight in model.state_dict().items())


def test_a_training_that_would_not_fit_is_shortened_anneals_to_its_end_and_is_continued_at_that_length(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tiny(over_time="shorten", max_minutes=1)
    sampler = LengthBucketSampler([len(ids) for ids in bench.reviews["input_ids"].to_pylist()], 8, params.seed)
    fits_eleven = sampler.padded_tokens(2)[:11].sum() / 54 + 1
    monkeypatch.setattr(fine_tune, "measured_speed", lambda *_, **__: fits_eleven)
    monkeypatch.setattr(budget, "FORWARD", 0)
    model, metrics = bench.train(params, "whole")
    assert (metrics["steps"], metrics["steps_asked"], metrics["validations"]) == (11, 16, 3)
    rates = bench.curve("whole", "train/learning_rate")
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] / 5

    bench.interrupt(params, "broken", 6)
    monkeypatch.setattr(fine_tune, "measured_speed", lambda *_, **__: pytest.fail("the length is decided already"))
    again, _ = bench.train(params, "broken")
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in model.state_dict().items())
