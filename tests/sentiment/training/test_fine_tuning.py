"""Whole trainings of a tiny model."""

import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import set_seed

from sentiment.core.params import Params
from sentiment.metrics import evaluate, scores_of
from sentiment.model.prediction import predict
from sentiment.training.batches import LengthBucketSampler
from sentiment.training.budget import TimeLimit
from sentiment.training.build import build
from tests.sentiment.training.bench import Bench


def test_a_few_steps_fit_separable_reviews(bench: Bench, tiny: Callable[..., Params]) -> None:
    _, metrics = bench.train(tiny(epochs=8, validations_per_epoch=1), "run")
    assert metrics["validation"]["accuracy"] == 1.0
    assert metrics["validation"]["log_loss"] < 0.1
    assert (metrics["steps"], metrics["validations"]) == (64, 8)
    assert metrics["parameters"] == metrics["parameters_trained"] > 1000


def test_half_an_epoch_takes_half_of_its_batches_and_lets_the_rate_fall_to_its_end(
    bench: Bench, tiny: Callable[..., Params]
) -> None:
    _, whole = bench.train(tiny(epochs=1), "whole")
    _, half = bench.train(tiny(epochs=0.5), "half")
    assert (whole["steps"], half["steps"], half["steps_asked"]) == (8, 4, 4)
    rates = bench.curve("half", "train/learning_rate")
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0] / 2
    assert bench.train(tiny(epochs=1.5), "more")[1]["steps"] == 12


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


def test_what_is_left_is_the_moving_average_of_the_steps_weights(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = []
    monkeypatch.setattr(TimeLimit, "on_step_end", lambda *_, model, **__: heads.append(model.head.weight.double()))
    model, metrics = bench.train(tiny(averaging=0.6), "run")
    average = heads[0]
    for step, head in enumerate(heads[1 : metrics["best_step"]], start=1):
        kept = min(0.6, (1 + step) / (10 + step))
        average = kept * average + (1 - kept) * head
    torch.testing.assert_close(model.head.weight.double(), average, atol=1e-6, rtol=0)
    assert (average - heads[metrics["best_step"] - 1]).abs().max() > 1e-3


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


def test_nothing_but_checkpoints_and_curves_is_written(
    bench: Bench, tiny: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    bench.train(tiny(epochs=1), "run")
    shutil.rmtree(bench.checkpoints("run"))
    files = sorted(path.relative_to(bench.folder).as_posix() for path in bench.folder.rglob("*") if path.is_file())
    curves = ["train/learning_rate", "train/loss", "validation/accuracy", "validation/log_loss"]
    assert files == [f"run/curves/plots/metrics/{curve}.tsv" for curve in curves]
