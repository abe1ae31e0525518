"""The families' tiny models, and what is made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from sentiment.classifier import build, predict
from sentiment.encoding import Encoder, Padding
from sentiment.params import Params
from tests.families import FAMILIES, POSITIONS, Family

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

POOLINGS = ["mean", "first"]


def member_id(member: tuple[Family, bool]) -> str:
    return f"{member[0].model_type} {'real' if member[1] else 'tiny'}"


def members(*types: str) -> pytest.MarkDecorator:
    """Run a test for the families of these types only."""
    chosen = [(family, real) for family in FAMILIES if family.model_type in types for real in (False, True)]
    return pytest.mark.parametrize("member", chosen, indirect=True, ids=member_id)


@dataclass(frozen=True)
class Member:
    """A family's model as `download` leaves it, and what is made of it."""

    family: Family
    real: bool
    folder: Path
    tokenizer: "PreTrainedTokenizerBase"
    params_with: Callable[..., Params]

    def encode(self, texts: Sequence[str], max_length: int = POSITIONS) -> list[list[int]]:
        encode = Encoder(self.tokenizer, self.params_with(tokenize={"max_length": max_length}).tokenize)
        return [review.input_ids for review in encode(texts)]

    def build(self, **train: Any) -> PreTrainedModel:
        torch.manual_seed(1)
        train = {"freeze": "none", "head": "random", "pooling": "mean"} | train
        return build(self.folder, self.tokenizer, self.params_with(train=train).train)

    def learn(
        self, model: PreTrainedModel, sequences: list[list[int]], *, bf16: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits in training, float32 [reviews, labels], and all gradients in a row."""
        rows = [{"input_ids": ids, "labels": number % 2} for number, ids in enumerate(sequences)]
        model.train().zero_grad()
        torch.manual_seed(2)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = model(**Padding.of(self.tokenizer)(rows))
        output.loss.backward()
        gradients = [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
        return output.logits.detach().float(), torch.cat(gradients)

    def logits(self, model: PreTrainedModel, sequences: list[list[int]], batch_size: int = 16) -> np.ndarray:
        return predict(model, sequences, Padding.of(self.tokenizer), batch_size=batch_size, precision="fp32")
