"""Trainer callbacks: validations, saving when interrupted, progress and live curves."""

import math
import signal
from pathlib import Path
from types import FrameType
from typing import Any, Self

from dvclive import Live
from tqdm import tqdm
from transformers import ProgressCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sentiment.core import processes
from sentiment.core.errors import UserError

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


class LossScale(TrainerCallback):
    """End a training in fp16 whose gradients do not fit into it.

    The loss is scaled up, so that small gradients are not lost, and by half as much after each step that is skipped as
    one of them is not finite. Raises UserError where it would have to be scaled down.
    """

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        scaler = kwargs["optimizer"].scaler
        if scaler is not None and scaler.get_scale() < 1:
            raise UserError(
                f"the training diverged at step {state.global_step} of {state.max_steps} (its gradients are not finite "
                "in fp16): set precision: fp32, or lower train.lr if it then diverges, too"
            )


class SaveWhenInterrupted(TrainerCallback):
    """While entered, on Ctrl-C or SIGTERM, train on to the next log entry, save a checkpoint there, and stop.

    A checkpoint does not hold the loss since the last entry, so only one saved right there resumes to the same curves.
    A second signal stops at once.
    """

    def __enter__(self) -> Self:
        self.received: int | None = None
        self.handlers = {sign: signal.signal(sign, self._receive) for sign in processes.stop_signals()}
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
        # A signal reaches several processes at different steps; what they do next must be the same.
        if control.should_log and any(processes.gather(self.received is not None)):
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if any(processes.gather(self.received is not None)):
            self._stop(self.received or signal.SIGTERM)


class Progress(ProgressCallback):
    """Show the loss in the progress bar instead of printing a line for every entry of the log."""

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        entry = state.log_history[-1]
        if self.training_bar is None:
            return  # the main process has it
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
