"""Whole trainings of a tiny model, interrupted ones among them."""

import csv
import re
import resource
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import PreTrainedModel, Trainer, set_seed

from sentiment import budget, callbacks, training
from sentiment.callbacks import TimeLimit
from sentiment.checkpoints import newest_complete
from sentiment.classifier import build, predict
from sentiment.encoding import Padding
from sentiment.errors import UserError
from sentiment.metrics import evaluate, scores_of
from sentiment.params import Params
from sentiment.training import LengthBucketSampler, fine_tune

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TINY = {
    "epochs": 2,
    "lr": 5e-3,
    "batch_size": 8,
    "warmup_share": 0.0,
    "dropout": 0.1,
    "freeze": "none",
    "head": "random",
    "precision": "fp32",
    "validations_per_epoch": 2,
    "max_minutes": 60,
}


class Bench:
    """Trains the tiny model on the toy reviews within a folder of its own, as often as the test likes."""

    def __init__(self, folder: Path, pretrained: Path, tokenizer: "PreTrainedTokenizerFast", reviews: pa.Table) -> None:
        self.folder, self.pretrained, self.tokenizer, self.reviews = folder, pretrained, tokenizer, reviews
        self.padding: Callable[..., Any] = Padding.of(tokenizer)

    def train(self, params: Params, name: str, validation: pa.Table | None = None) -> tuple[PreTrainedModel, dict]:
        set_seed(params.seed)
        model = build(self.pretrained, self.tokenizer, params.train)
        places = {"checkpoints": self.checkpoints(name), "curves": self.folder / name / "curves"}
        metrics = fine_tune(model, self.padding, self.reviews, validation or self.reviews, params, **places)
        return model, metrics

    def interrupt(self, params: Params, name: str, step: int) -> None:
        """Train until Ctrl-C comes at the end of a step, before what is due then is saved."""

        def on_step_end(*args: Any, **kwargs: Any) -> None:
            if args[2].global_step == step:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TimeLimit, "on_step_end", on_step_end)
            with pytest.raises(KeyboardInterrupt):
                self.train(params, name)

    def checkpoints(self, name: str) -> Path:
        return self.folder / name / "checkpoints"

    def curves(self, name: str) -> dict[str, str]:
        folder = self.folder / name / "curves"
        return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}

    def curve(self, name: str, curve: str) -> list[float]:
        text = self.curves(name)[f"plots/metrics/{curve}.tsv"]
        return [float(row[curve.rpartition("/")[2]]) for row in csv.DictReader(text.splitlines(), delimiter="\t")]


@pytest.fixture
def bench(tmp_path: Path, pretrained: Path, tokenizer: "PreTrainedTokenizerFast", encoded: pa.Table) -> Bench:
    return Bench(tmp_path, pretrained, tokenizer, encoded)


@pytest.fixture
def tiny(params_with: Callable[..., Params]) -> Callable[..., Params]:
    return lambda **train: params_with(seed=3, train=TINY | train)


def test_a_few_steps_fit_separable_reviews(bench: Bench, tiny: Callable[..., Params]) -> None:
    _, metrics = bench.train(tiny(epochs=8, validations_per_epoch=1), "run")
    assert metrics["validation"]["accuracy"] == 1.0
    assert metrics["validation"]["log_loss"] < 0.1
    assert (metrics["steps"], metrics["validations"]) == (64, 8)
    assert metrics["parameters"] == metrics["parameters_trained"] > 1000


def test_the_newest_weights_within_a_standard_error_of_the_best_are_left(
    bench: Bench, tiny: Callable[..., Params]
) -> None:
    # Validation reviews with the labels turned round: the better it learns, the worse they are predicted.
    turned = bench.reviews.set_column(1, "label", pa.array(1 - bench.reviews["label"].to_numpy()))
    model, metrics = bench.train(tiny(), "run", turned)
    accuracy = bench.curve("run", "validation/accuracy")
    best = np.maximum.accumulate(accuracy)
    eligible = np.flatnonzero(accuracy >= best - np.sqrt(best * (1 - best) / turned.num_rows))
    assert eligible[-1] < 3, "the last checkpoint must be a bad one here"
    assert (metrics["best_step"], metrics["steps"], metrics["validations"]) == (4 * (eligible[-1] + 1), 16, 4)
    ids = turned["input_ids"].to_pylist()
    scores = scores_of(predict(model, ids, bench.padding, batch_size=64, precision="fp32"))
    expected = evaluate(turned["label"].to_numpy(), scores)
    assert metrics["validation"] == pytest.approx({name: expected[name] for name in ("accuracy", "log_loss")}, abs=1e-5)


def test_a_frozen_encoder_stays_as_it_was(bench: Bench, tiny: Callable[..., Params]) -> None:
    params = tiny(freeze="encoder", epochs=1)
    model, metrics = bench.train(params, "run")
    set_seed(params.seed)
    before = build(bench.pretrained, bench.tokenizer, params.train).state_dict()
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed == {"head.weight", "head.bias"}
    assert metrics["parameters_trained"] == 2 * 16 + 2


def test_lora_learns_in_few_parameters_and_leaves_a_plain_model(bench: Bench, tiny: Callable[..., Params]) -> None:
    params = tiny(freeze="encoder", lora_rank=2)
    model, metrics = bench.train(params, "run")
    set_seed(params.seed)
    before = build(bench.pretrained, bench.tokenizer, params.train).state_dict()
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])}
    assert model.state_dict().keys() == before.keys()
    matrices = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")
    assert changed == {"head.weight", "head.bias"} | {
        name for name in before if ".layer." in name and name.removesuffix(".weight").endswith(matrices)
    }
    # Per layer four matrices of 16 x 16 and two of 16 x 32, each with two of rank 2; and the head.
    assert metrics["parameters_trained"] == 2 * (4 * 2 * (16 + 16) + 2 * 2 * (16 + 32)) + 2 * 16 + 2
    assert metrics["parameters"] == model.num_parameters()


def test_frozen_layers_and_those_that_learn_at_next_to_no_rate_stay_as_they_were(
    bench: Bench, tiny: Callable[..., Params]
) -> None:
    for name, train in {
        "frozen": {"freeze": "embeddings", "freeze_layers": 1},
        "slow": {"freeze": "none", "layer_decay": 1e-9},
    }.items():
        params = tiny(epochs=1, dropout=0.0, **train)
        model, _ = bench.train(params, name)
        set_seed(params.seed)
        before = build(bench.pretrained, bench.tokenizer, params.train).state_dict()
        moved = {key: float((weight - before[key]).abs().max()) for key, weight in model.state_dict().items()}
        changed = {key for key, distance in moved.items() if distance > 1e-6}
        learnt = ("head.", "encoder.encoder.layer.1.") if name == "frozen" else ("head.",)
        # Softmax does not feel a bias that all keys have in common, so it hardly moves.
        expected = {key for key in moved if key.startswith(learnt) and "key.bias" not in key}
        assert expected <= changed
        assert all(key.startswith(learnt) for key in changed)


def test_batches_are_the_samplers_in_every_epoch(bench: Bench, tiny: Callable[..., Params]) -> None:
    params, seen = tiny(), []
    collate = bench.padding

    def record(rows: list[dict[str, Any]]) -> Any:
        if len(rows) <= params.train.batch_size:
            seen.append([row["input_ids"] for row in rows])
        return collate(rows)

    bench.padding = record
    bench.train(params, "run")
    ids = bench.reviews["input_ids"].to_pylist()
    sampler = LengthBucketSampler([len(row) for row in ids], params.train.batch_size, params.seed)
    assert seen == [[ids[i] for i in rows] for epoch in (0, 1) for rows in sampler.batches(epoch)]


@pytest.mark.parametrize(("scheduler", "last"), [("linear", 0.0), ("cosine", 0.0), ("constant", 5e-3)])
def test_the_learning_rate_rises_and_falls_as_the_parameters_say(
    bench: Bench, tiny: Callable[..., Params], scheduler: str, last: float
) -> None:
    bench.train(tiny(scheduler=scheduler, warmup_share=0.25), "run")
    rates = bench.curve("run", "train/learning_rate")
    assert rates[:5] == pytest.approx([0, 0.25 * 5e-3, 0.5 * 5e-3, 0.75 * 5e-3, 5e-3], abs=1e-6)
    assert rates[-1] == pytest.approx(last, abs=5e-4)
    assert len(rates) == 16


SHORT = TINY
"""16 steps, each in the curves; checkpoints at 4, 8, 12 and 16."""
LONG = TINY | {"epochs": 8, "batch_size": 5, "validations_per_epoch": 1}
"""104 steps, every other one in the curves; checkpoints at 13, 26 and so on."""
LAYERS = SHORT | {"layer_decay": 0.5}
"""As SHORT, with a learning rate of its own for each layer."""
LORA = SHORT | {"freeze": "encoder", "lora_rank": 2}
"""As SHORT, but only low-rank updates and the head learn."""
NAMES = {id(SHORT): "short", id(LONG): "long", id(LAYERS): "layers", id(LORA): "LoRA"}


@pytest.mark.parametrize(
    "case",
    [
        (SHORT, 3, None),
        (SHORT, 6, 4),
        (SHORT, 11, 8),
        (SHORT, 16, 12),
        (SHORT, None, 16),
        (LONG, 20, 13),
        (LAYERS, 6, 4),
        (LORA, 6, 4),
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


def test_an_incomplete_newest_checkpoint_is_discarded_and_the_older_used(
    bench: Bench, tiny: Callable[..., Params], capsys: pytest.CaptureFixture[str]
) -> None:
    model, _ = bench.train(tiny(), "whole")
    bench.interrupt(tiny(), "broken", 10)
    (bench.checkpoints("broken") / "checkpoint-8" / "trainer_state.json").unlink()
    model_again, _ = bench.train(tiny(), "broken")
    assert re.search(r"continuing from .*checkpoint-4$", capsys.readouterr().out, re.MULTILINE)
    assert all(torch.equal(weight, model_again.state_dict()[name]) for name, weight in model.state_dict().items())


def test_a_disk_that_is_full_ends_it_in_one_sentence_and_leaves_the_older_checkpoint(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
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
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=lambda: 60.0 * next(minutes)))
    with pytest.raises(UserError, match=r"^train\.max_minutes of 12 are over at step \d+ of 16: "):
        bench.train(tiny(max_minutes=12), "run")
    monkeypatch.undo()
    assert bench.checkpoints("run").joinpath("checkpoint-4").is_dir()
    assert bench.train(tiny(), "run")[1]["steps"] == 16


def test_a_training_that_fits_its_budget_is_what_it_is_without_one(bench: Bench, tiny: Callable[..., Params]) -> None:
    model, metrics = bench.train(tiny(), "without")
    fitted, same = bench.train(tiny(fit_budget=True), "with")
    assert same == metrics
    assert bench.curves("with") == bench.curves("without")
    assert all(torch.equal(weight, fitted.state_dict()[name]) for name, weight in model.state_dict().items())


def test_a_training_that_would_not_fit_is_shortened_anneals_to_its_end_and_is_continued_at_that_length(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tiny(fit_budget=True, max_minutes=1)
    sampler = LengthBucketSampler([len(ids) for ids in bench.reviews["input_ids"].to_pylist()], 8, params.seed)
    fits_eleven = sampler.padded_tokens(2)[:11].sum() / 54 + 1
    monkeypatch.setattr(training, "measured_speed", lambda *_: fits_eleven)
    monkeypatch.setattr(budget, "FORWARD", 0)
    model, metrics = bench.train(params, "whole")
    assert (metrics["steps"], metrics["steps_asked"], metrics["validations"]) == (11, 16, 3)
    rates = bench.curve("whole", "train/learning_rate")
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] / 5

    bench.interrupt(params, "broken", 6)
    monkeypatch.setattr(training, "measured_speed", lambda *_: pytest.fail("the length is decided already"))
    again, _ = bench.train(params, "broken")
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in model.state_dict().items())


def test_nothing_but_checkpoints_and_curves_is_written(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    bench.train(tiny(epochs=1), "run")
    shutil.rmtree(bench.checkpoints("run"))
    files = sorted(path.relative_to(bench.folder).as_posix() for path in bench.folder.rglob("*") if path.is_file())
    curves = ["train/learning_rate", "train/loss", "validation/accuracy", "validation/log_loss"]
    assert files == [f"run/curves/plots/metrics/{curve}.tsv" for curve in curves]
