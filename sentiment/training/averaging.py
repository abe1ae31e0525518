"""Averages of weights: over the steps of a training, over several trainings, and with the pretrained ones."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, load_model, save_model
from torch import nn
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from sentiment.core import processes
from sentiment.core.files import replacing

AVERAGE = "average.safetensors"
"""The moving average, in each checkpoint."""
BEST = "best.safetensors"
"""Beside the checkpoints: the moving average at the validation that `best_step` names."""


class MovingAverage(TrainerCallback):
    """Keep a moving average of the weights beside a training, and on disk what it was where it validated best.

    The average over the last steps generalizes better than any one step's weights do (Izmailov et al. 2018,
    arXiv:1803.05407). `decay` is the share of it that a step leaves; 0 is no average. The validations must see it:
    evaluate the model within `applied`. It is saved in every checkpoint and continued from there.
    """

    def __init__(self, model: PreTrainedModel, decay: float) -> None:
        self.model, self.decay = model, decay
        # What is frozen is its own average.
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.averages = [weight.detach().clone() for weight in self.weights]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model have the averages for its weights for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for weight, average in zip(self.weights, self.averages, strict=True):
            weight.data, average.data = average.data, weight.data

    @torch.no_grad()
    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        step = state.global_step
        # The first steps leave less of the average, so that it doesn't lag behind them.
        kept = min(self.decay, (1 + step) / (10 + step)) if step else 0
        # A step that fp16 skipped counts too: its weights are those of the one before.
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.lerp_(weight, 1 - kept)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if best_step(state.log_history, len(kwargs["eval_dataloader"].dataset)) == state.global_step:
            # The validation is within `applied`.
            processes.by_main(lambda: self._save(Path(args.output_dir, BEST)))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        with self.applied():
            # Once all processes have saved what is theirs: it makes the checkpoint complete.
            processes.by_main(lambda: self._save(_checkpoint(args, state) / AVERAGE))

    def _save(self, path: Path) -> None:
        with replacing(path) as temporary:
            save_model(self.model, temporary)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step:
            with self.applied():
                load_model(self.model, _checkpoint(args, state) / AVERAGE)


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(args.output_dir, f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")


def best_step(log_history: Sequence[Mapping[str, Any]], reviews: int) -> int:
    """Return the step of the validation to keep: the newest whose accuracy is within one standard error of the best.

    Later ones have seen more, at a lower learning rate; a smaller difference on so many validation reviews is chance
    (the one-standard-error rule, Breiman et al. 1984, section 3.4.3). Each is compared with those up to it.
    """
    best, kept = 0.0, 0
    for entry in log_history:
        if "eval_accuracy" in entry:
            best = max(best, entry["eval_accuracy"])
            if entry["eval_accuracy"] >= best - math.sqrt(best * (1 - best) / reviews):
                kept = entry["step"]
    return kept


def weights_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of the module's weights by name."""
    return {name: weight.detach().clone() for name, weight in module.named_parameters()}


@torch.no_grad()
def mix_in(module: nn.Module, weights: Mapping[str, torch.Tensor], share: float) -> None:
    """Move the module's weights towards those of the same names, by that share of the way.

    On the way from the trained weights to the pretrained ones lie models that keep more of what they could read before
    (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903).
    """
    own = module.state_dict()
    for name, weight in weights.items():
        if weight.is_floating_point():
            own[name].lerp_(weight, share)


def take_average(model: PreTrainedModel, files: Sequence[Path]) -> None:
    """Give the model the average of the weights that were saved of it."""
    for number, file in enumerate(files, start=1):
        mix_in(model, load_file(file, device=str(model.device)), 1 / number)
