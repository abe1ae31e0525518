"""Trainings in fp16, on the CPU: the loss is scaled, as on a GPU."""

import json
import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import EvalPrediction, PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.model.prediction import predict
from sentiment.training.build import build
from sentiment.training.callbacks import LossScale
from sentiment.training.fine_tune import compute_metrics
from tests.sentiment.training.bench import Bench

SCALE = 2.0**23
"""So high that the tiny model's first gradients do not fit, and some steps are skipped."""


@pytest.fixture
def half(tiny: Callable[..., Params]) -> Callable[..., Params]:
    return lambda **train: tiny(**train).model_copy(update={"precision": "fp16"})


@pytest.fixture
def _lively(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scale change within a few steps, in place of thousands."""
    scaler = partial(torch.amp.GradScaler, init_scale=SCALE, growth_interval=3)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)


def norms(bench: Bench, name: str) -> list[float]:
    """Return the gradients' norms that a training logged, before they were clipped."""
    newest = max(bench.checkpoints(name).glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    state = json.loads((newest / "trainer_state.json").read_text())
    return [entry["grad_norm"] for entry in state["log_history"] if "grad_norm" in entry]


def test_a_training_in_fp16_scales_its_loss_and_clips_the_gradients_unscaled(
    bench: Bench, tiny: Callable[..., Params], half: Callable[..., Params]
) -> None:
    model, metrics = bench.train(tiny(dropout=0.0), "single")
    rounded, metrics_rounded = bench.train(half(dropout=0.0), "half")
    scaler = torch.load(bench.checkpoints("half") / "checkpoint-16/scaler.pt")
    assert (scaler["scale"], scaler["_growth_tracker"]) == (2.0**16, 16)
    assert not (bench.checkpoints("single") / "checkpoint-16/scaler.pt").exists()
    # With other roundings Adam takes other steps where a gradient is near zero.
    assert norms(bench, "half")[:4] == pytest.approx(norms(bench, "single")[:4], rel=0.02)
    assert metrics_rounded["validation"] == pytest.approx(metrics["validation"], abs=0.02)
    assert not all(torch.equal(weight, rounded.state_dict()[name]) for name, weight in model.state_dict().items())
    assert {weight.dtype for weight in rounded.parameters()} == {torch.float32}


@pytest.mark.usefixtures("_lively")
@pytest.mark.parametrize(
    ("train", "stop", "continued"),
    [
        ({}, 6, 4),
        pytest.param({}, 16, 12, marks=pytest.mark.slow),
        # 104 steps, every other one in the log; checkpoints at 13, 26 and so on.
        pytest.param({"epochs": 8, "batch_size": 5, "validations_per_epoch": 1}, 20, 13, marks=pytest.mark.slow),
    ],
)
def test_a_continued_training_in_fp16_gives_the_bytes_of_an_uninterrupted_one(
    bench: Bench, half: Callable[..., Params], train: dict[str, Any], stop: int, continued: int
) -> None:
    model, metrics = bench.train(half(**train), "whole")
    bench.interrupt(half(**train), "broken", stop)
    saved = torch.load(bench.checkpoints("broken") / f"checkpoint-{continued}/scaler.pt")
    assert saved["scale"] != SCALE, "the checkpoint must hold what a new scaler does not"
    model_again, metrics_again = bench.train(half(**train), "broken")
    weights, weights_again = model.state_dict(), model_again.state_dict()
    assert [name for name, weight in weights.items() if not torch.equal(weight, weights_again[name])] == []
    assert metrics_again == metrics
    assert bench.curves("broken") == bench.curves("whole")
    assert norms(bench, "broken") == norms(bench, "whole")


@pytest.mark.usefixtures("_lively")
def test_a_step_whose_gradients_do_not_fit_changes_no_weight(bench: Bench, half: Callable[..., Params]) -> None:
    seen = []
    step = LossScale.on_step_end

    def record(callback: LossScale, *args: Any, model: PreTrainedModel, **kwargs: Any) -> None:
        seen.append((kwargs["optimizer"].scaler.get_scale(), model.head.weight.detach().clone()))
        step(callback, *args, model=model, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LossScale, "on_step_end", record)
        _, metrics = bench.train(half(), "run")
    skipped = [after < before for (before, _), (after, _) in pairwise(seen)]
    still = [torch.equal(before, after) for (_, before), (_, after) in pairwise(seen)]
    assert still == skipped
    assert 0 < sum(skipped) < len(skipped)
    assert np.isfinite(metrics["validation"]["log_loss"])


def test_a_training_whose_gradients_never_fit_ends_in_one_sentence_that_names_single_precision(
    bench: Bench, half: Callable[..., Params], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_too_large(*args: Any) -> PreTrainedModel:
        model = build(*args)
        # Beyond fp16's largest number, 65,504; within single precision's.
        torch.nn.init.constant_(model.head.weight, 1e5)
        return model

    monkeypatch.setattr("tests.sentiment.training.bench.build", build_too_large)
    with pytest.raises(UserError) as caught:
        bench.train(half(batch_size=2, epochs=1, validations_per_epoch=1), "run")
    # From a scale of 2 ** 16 down to 0.5.
    assert str(caught.value) == (
        "the training diverged at step 17 of 32 (its gradients are not finite in fp16): set precision: fp32, or "
        "lower train.lr if it then diverges, too"
    )


@pytest.mark.parametrize(
    ("dtype", "sentence"),
    [
        (torch.float32, "fp32): lower train.lr or raise train.warmup_share"),
        (torch.bfloat16, "bf16): set precision: fp32, lower train.lr or raise train.warmup_share"),
        (torch.float16, "fp16): set precision: fp32, lower train.lr or raise train.warmup_share"),
    ],
)
def test_a_validation_whose_logits_are_not_finite_ends_the_training_with_the_remedies(
    dtype: torch.dtype, sentence: str
) -> None:
    prediction = EvalPrediction(predictions=np.array([[0.0, np.inf]]), label_ids=np.array([1]))
    sentence = f"the training diverged (its logits are not finite in {sentence}"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        compute_metrics(prediction, dtype)


@pytest.mark.parametrize(
    ("precision", "remedy"), [("fp16", "set precision: fp32"), ("fp32", "train it anew with a lower train.lr")]
)
def test_a_prediction_that_is_not_finite_is_refused_with_the_remedy(
    bench: Bench, build_with: Callable[..., PreTrainedModel], encoded: pa.Table, precision: str, remedy: str
) -> None:
    model = build_with()
    with torch.no_grad():
        model.head.bias[1] = 1e5 if precision == "fp16" else float("nan")
    ids = encoded["input_ids"].to_pylist()[:4]
    ask = partial(predict, model, ids, bench.padding, batch_size=4)
    with pytest.raises(UserError, match=rf"^the model's logits are not finite in {precision}: {remedy}$"):
        ask(precision=precision)
    if precision == "fp16":
        assert np.isfinite(ask(precision="fp32")).all()
