"""How long a training will take, and what happens where that is more than its time limit."""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sentiment.core import processes
from sentiment.core.errors import UserError
from sentiment.core.params import Train
from sentiment.model.device import arithmetic, autocast
from sentiment.model.memory import Portion
from sentiment.text.encoding import Padding
from sentiment.training.batches import own_rows
from sentiment.training.gradients import accumulate

WARMUP_STEPS = 2
"""The first steps prepare what the others find, and tell nothing of their speed."""
TIMED_SECONDS = 15
"""A prediction rests on so much work: fewer seconds may be those of another program's burst."""
MISTAKEN = 1.5
"""A prediction that is wrong by this factor is made again."""
MARGIN = 0.9
"""Share of the time limit that is planned for; the rest allows for other load on the machine."""
FEWEST_STEPS = 10
FORWARD = 1 / 3
"""What reading a token costs, as a share of learning from it (Kaplan et al. 2020, arXiv:2001.08361)."""


class TimeLimit(TrainerCallback):
    """Say how long the training takes, and act as `over_time` says where that is more than `max_minutes`.

    Each of `runs` has an equal share of them. The time left is predicted from the tokens of the remaining steps and the
    speed of some seconds of work, and again when the speed has changed. Raises UserError, unless `over_time` is run: as
    soon as the prediction is beyond the limit, or when the minutes are over.
    """

    def __init__(self, params: Train, step_costs: np.ndarray) -> None:
        self.params = params
        self.step_costs = step_costs

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.started = time.monotonic()
        self.steps, self.seconds, self.tokens = 0, 0.0, 0
        self.predicted: float | None = None
        self.warned = False

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.step_started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        now = time.monotonic()
        self.steps += 1
        if self.steps > WARMUP_STEPS:
            self.seconds += now - self.step_started
            self.tokens += self.step_costs[state.global_step - 1]
        elapsed = now - self.started
        if processes.count() > 1:
            # Their clocks differ, and what they do next must not.
            if not control.should_log:
                return
            elapsed, self.seconds = processes.agreed((elapsed, self.seconds))
        limit, runs = self.params.max_minutes, self.params.runs
        if self.params.over_time != "run" and elapsed > limit * 60 / runs and state.global_step < len(self.step_costs):
            share = "" if runs == 1 else f", shared by {runs} runs,"
            remedy = (
                "the same command continues from the newest checkpoint, if there was one already; another limit "
                "starts anew, as the steps were counted for this one"
                if self.params.over_time == "shorten"
                else "with a higher limit, or train.over_time: run, the same command continues from the newest "
                "checkpoint, if there was one already"
            )
            raise UserError(
                f"train.max_minutes of {limit:g}{share} are over at step {state.global_step} of "
                f"{len(self.step_costs)}: {remedy}"
            )
        if self.seconds >= TIMED_SECONDS:
            self._predict(state.global_step, elapsed, self.tokens / self.seconds)
            self.seconds, self.tokens = 0.0, 0

    def _predict(self, step: int, elapsed: float, speed: float) -> None:
        minutes = (elapsed + self.step_costs[step:].sum() / speed) / 60
        if self.predicted and 1 / MISTAKEN < minutes / self.predicted < MISTAKEN:
            return
        takes, times = "takes" if self.predicted is None else "now takes", ""
        self.predicted = minutes
        if self.params.runs > 1:
            times = f"{self.params.runs} times "
        tqdm.write(
            f"training {takes} about {times}{minutes:.1f} min at {speed:,.0f} tokens/s, validation aside{other_load()}"
        )
        minutes *= self.params.runs
        limit = self.params.max_minutes
        if minutes <= limit or self.warned:
            return
        lower = f"{'train.runs, ' if times else ''}subsample.train_size, tokenize.max_length or train.epochs"
        if self.params.over_time == "run":
            self.warned = True
            tqdm.write(
                f"that is more than train.max_minutes of {limit:g}, and goes on as train.over_time is run; to shorten "
                f"it, lower {lower}, or let train.over_time be shorten"
            )
        else:
            raise UserError(
                f"training would take about {minutes:.0f} min, but train.max_minutes is {limit:g}{other_load()}: lower "
                f"{lower}, raise the limit, or let train.over_time be run"
            )


def other_load() -> str:
    """Say that other programs keep the processors busy, if they do; nothing where the system can't tell."""
    load, processors = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0, os.cpu_count() or 1
    if load < 1.25 * processors:
        return ""
    return f" (other programs slow it down: a load of {load:.1f} on {processors} processors)"


def measured_speed(
    model: PreTrainedModel,
    padding: Padding,
    train: Dataset,
    batches: Sequence[np.ndarray],
    precision: str,
    *,
    portion: Portion,
) -> float:
    """Return the tokens per second, padding included, that the model trains on; weights and random state stay the same.

    Times the gradients of batches for TIMED_SECONDS, once the first ones have warmed up; several processes share them.
    `train` has input_ids and labels.
    """
    device = model.device
    dtype = arithmetic(precision, device)
    seconds = tokens = 0.0

    def backward(part: dict[str, torch.Tensor], weight: float) -> torch.Tensor:
        with autocast(device, dtype):
            loss = model(**{name: tensor.to(device) for name, tensor in part.items()}).loss * weight
        loss.backward()
        return loss.detach()

    with torch.random.fork_rng(enabled=True):
        model.train()
        for step, rows in enumerate(batches):
            # Clocks differ, and all processes must stop at the same batch.
            if processes.agreed(seconds) >= TIMED_SECONDS:
                break
            started = time.monotonic()
            batch = padding([train[int(row)] for row in own_rows(rows)])
            accumulate(model, batch, len(rows), portion, backward)
            if device.type != "cpu":
                torch.accelerator.synchronize()
            if step >= min(WARMUP_STEPS, len(batches) - 1):
                seconds += max(1e-6, time.monotonic() - started)
                tokens += sum(processes.gather(batch["input_ids"].numel()))
            model.zero_grad()
    return processes.agreed(tokens / seconds)


def fitting_steps(speed: float, step_costs: np.ndarray, validation_tokens: int, max_minutes: float) -> int:
    """Return how many of the steps, whose tokens are `step_costs`, fit into the minutes at `speed` tokens a second.

    `validation_tokens` is what all validations of the whole training read. Raises UserError where hardly any fit.
    """
    tokens = max_minutes * 60 * MARGIN * speed - validation_tokens * FORWARD
    steps = int(np.searchsorted(step_costs.cumsum(), tokens, side="right"))
    minutes = (step_costs.sum() + validation_tokens * FORWARD) / speed / 60
    if steps < min(FEWEST_STEPS, len(step_costs)):
        raise UserError(
            f"training would take about {minutes:.1f} min, and train.max_minutes of {max_minutes:g} leave no time for "
            f"{FEWEST_STEPS} of its {len(step_costs):,} steps: raise it, or lower tokenize.max_length or "
            "train.batch_size"
        )
    tqdm.write(
        f"all {len(step_costs):,} steps would take about {minutes:.1f} min at {speed:,.0f} tokens/s: "
        f"{'they' if steps == len(step_costs) else f'{steps:,} of them'} fit into train.max_minutes of {max_minutes:g}"
    )
    return steps
