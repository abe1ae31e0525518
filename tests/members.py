"""A member of a family of models as the pipeline has it, and what the pipeline's own modules make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sentiment.core.params import Params
from sentiment.model.prediction import predict
from sentiment.text.encoding import Encoder, Padding
from sentiment.training.build import build
from tests.families import POSITIONS, Family


@dataclass(frozen=True)
class Member:
    """A family's model as `download` leaves it, and what is made of it."""

    family: Family
    folder: Path
    tokenizer: PreTrainedTokenizerBase
    params_with: Callable[..., Params]

    def encode(self, texts: Sequence[str], max_length: int = POSITIONS) -> list[list[int]]:
        encode = Encoder(self.tokenizer, self.params_with(tokenize={"max_length": max_length}).tokenize)
        return [review.input_ids for review in encode(texts)]

    def build(self, device: str = "cpu", **train: Any) -> PreTrainedModel:
        torch.manual_seed(1)
        train = {"freeze": "none", "pooling": "mean"} | train
        return build(self.folder, self.tokenizer, self.params_with(train=train).train, torch.device(device))

    def logits(self, model: PreTrainedModel, sequences: list[list[int]], batch_size: int = 16) -> np.ndarray:
        return predict(model, sequences, Padding.of(self.tokenizer), batch_size=batch_size, precision="fp32")
