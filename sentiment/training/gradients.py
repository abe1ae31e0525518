"""The gradients of a step: added up over the portions of a batch that memory holds, and over the processes."""

from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from sentiment.core import processes
from sentiment.core.params import Params
from sentiment.model.memory import Portion, cut


class Portions(TrainerCallback, ExportableState):
    """The portions in which a training takes its batches, and its validations theirs; checkpoints hold their rows."""

    def __init__(self, params: Params) -> None:
        share = -(-params.train.batch_size // processes.count())
        self.train = Portion(min(share, params.train.device_batch_size or share), "train.batch_size")
        self.evaluate = Portion(params.evaluate.batch_size, "evaluate.batch_size")

    def agree(self) -> None:
        """Let all processes take the fewest rows that one of them has room for, which is what a checkpoint says."""
        for portion in (self.train, self.evaluate):
            portion.lower(min(processes.gather(portion.rows)))

    def state(self) -> dict[str, dict[str, int]]:
        return {"args": {}, "attributes": {"train": self.train.rows, "evaluate": self.evaluate.rows}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        saved = state.stateful_callbacks[type(self).__name__]["attributes"]
        self.train.rows, self.evaluate.rows = saved["train"], saved["evaluate"]


def accumulate(
    model: nn.Module,
    batch: Mapping[str, torch.Tensor],
    rows: int,
    portion: Portion,
    backward: Callable[[dict[str, torch.Tensor], float], torch.Tensor],
) -> torch.Tensor:
    """Leave the model with the gradient of the mean loss over a step's `rows`; return this process's share of that.

    Of the rows the batch [share, ...] holds those of this process, or one row that counts nothing where there are more
    processes than rows. `backward` adds the gradient of a part's mean loss, times a weight, and returns the product.
    """
    own = len(processes.share(range(rows)))
    before = _random_state()

    def learn(most: int) -> torch.Tensor:
        # What an attempt for which memory was too small has added and drawn.
        model.zero_grad()
        _set_random_state(before)
        parts = list(cut(batch, most))
        losses = [backward(part, min(own, len(part["input_ids"])) / rows) for part in parts]
        return torch.stack(losses).sum()

    loss = portion(learn)
    if processes.count() > 1:
        _exchange(model)
    return loss


def _exchange(model: nn.Module) -> None:
    """Let all processes have the sum of their gradients.

    Once a step and after all portions, where DistributedDataParallel would do so within a backward pass: there, a
    process whose memory runs out would leave the others half way.
    """
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    together = parameters_to_vector(gradients)
    processes.add_up(together)
    vector_to_parameters(together, gradients)


def _random_state() -> list[torch.Tensor]:
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])]


def _set_random_state(state: list[torch.Tensor]) -> None:
    torch.set_rng_state(state[0])
    if len(state) > 1:
        torch.cuda.set_rng_state(state[1])
