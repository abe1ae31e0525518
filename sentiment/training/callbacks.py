"""Trainer callbacks: validations, the time limit, saving when interrupted, progress and live curves."""

import math
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np
from dvclive import Live
from tqdm import tqdm
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sentiment.core.errors import UserError

STEPS_BEFORE_PREDICTION = 10
CURVES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "eval_log_loss": "validation/log_loss",
    "eval_accuracy": "validation/accuracy",
}
"""The Trainer's names, and those of the curves."""


class Validations(TrainerCallback):
    """Validate and save `per_epoch` times in each epoch, the last time at its end, and at the end of the training."""

    def __init__(self, steps_per_epoch: int, per_epoch: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        per_epoch = min(per_epoch, steps_per_epoch)
        self.within = {math.ceil(steps_per_epoch * part / per_epoch) for part in range(1, per_epoch + 1)}

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        step = (state.global_step - 1) % self.steps_per_epoch + 1
        if step in self.within or state.global_step == state.max_steps:
            # A checkpoint does not hold the loss since the last entry of the log, so the log must not lag behind it.
            control.should_log = control.should_evaluate = control.should_save = True


class TimeLimit(TrainerCallback):
    """Stop a training that does not fit into `max_minutes`: as soon as this can be predicted, or when they are over.

    Each of `runs` has an equal share of them. The time left is predicted from the tokens of the remaining steps and the
    median speed of the first ones. Raises UserError.
    """

    def __init__(self, max_minutes: float, step_costs: np.ndarray, runs: int = 1) -> None:
        self.max_minutes = max_minutes
        self.runs = runs
        self.step_costs = step_costs
        self.speeds: list[float] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.started = time.monotonic()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.step_started = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        now = time.monotonic()
        if now - self.started > self.max_minutes * 60 / self.runs and state.global_step < state.max_steps:
            share = "" if self.runs == 1 else f", shared by {self.runs} runs,"
            raise UserError(
                f"train.max_minutes of {self.max_minutes:g}{share} are over at step {state.global_step} of "
                f"{state.max_steps}: "
                "with a higher limit the same command continues from the newest checkpoint, if there was one already"
            )
        if len(self.speeds) < STEPS_BEFORE_PREDICTION:
            self.speeds.append(self.step_costs[state.global_step - 1] / max(1e-3, now - self.step_started))
            if len(self.speeds) == STEPS_BEFORE_PREDICTION:
                self._predict(state.global_step, now)

    def _predict(self, step: int, now: float) -> None:
        speed = float(np.median(self.speeds))
        minutes = (now - self.started + self.step_costs[step:].sum() / speed) / 60
        times, runs = ("", "") if self.runs == 1 else (f"{self.runs} times ", "train.runs, ")
        tqdm.write(f"training takes about {times}{minutes:.1f} min at {speed:,.0f} tokens/s, validation aside")
        minutes *= self.runs
        if minutes > self.max_minutes:
            raise UserError(
                f"training would take about {minutes:.0f} min, but train.max_minutes is {self.max_minutes:g}: lower "
                f"{runs}subsample.train_size, tokenize.max_length or train.epochs, raise the limit, or let "
                "train.fit_budget shorten the training"
            )


class SaveWhenInterrupted(TrainerCallback):
    """While entered, on Ctrl-C or SIGTERM, train on to the next log entry, save a checkpoint there, and stop.

    A checkpoint does not hold the loss since the last entry, so only one saved right there resumes to the same curves.
    A second signal stops at once.
    """

    def __enter__(self) -> Self:
        self.received: int | None = None
        self.handlers = {sign: signal.signal(sign, self._receive) for sign in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for sign, handler in self.handlers.items():
            signal.signal(sign, handler)

    def _receive(self, sign: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self._stop(sign)
        self.received = sign
        tqdm.write("interrupted: saving a checkpoint first; another Ctrl-C stops at once")

    def _stop(self, sign: int) -> None:
        self.__exit__()
        signal.raise_signal(sign)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.received is not None and control.should_log:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.received is not None:
            self._stop(self.received)


class Progress(ProgressCallback):
    """Show the loss in the progress bar instead of printing a line for every entry of the log."""

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        entry = state.log_history[-1]
        if "loss" in entry:
            self.training_bar.set_postfix(loss=f"{float(entry['loss']):.3f}")
        elif "eval_log_loss" in entry:
            tqdm.write(
                f"step {entry['step']}: validation accuracy {entry['eval_accuracy']:.3f}, "
                f"log loss {entry['eval_log_loss']:.3f}"
            )


class LiveCurves(TrainerCallback):
    """Write the training and validation curves with DVCLive while they grow.

    They are rebuilt from the Trainer's own history first, so that the curves of a resumed run have no gaps and no
    duplicates.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # Without dvcyaml=None it would edit our dvc.yaml, and a report would carry the time of day.
        self.live = Live(str(self.folder), dvcyaml=None, report=None, save_dvc_exp=False)
        for entry in state.log_history:
            self._write(entry)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._write(state.log_history[-1])

    def _write(self, entry: dict[str, Any]) -> None:
        self.live.step = entry["step"]
        for logged, curve in CURVES.items():
            if logged in entry:
                self.live.log_metric(curve, round(float(entry[logged]), 6))
