"""A device with little memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def room_for(model: nn.Module, tokens: int) -> Iterator[list[int]]:
    """Let memory run out where more tokens go through a model at once; yield the numbers of rows that were too many."""
    refused: list[int] = []
    table = next(module for module in model.modules() if isinstance(module, nn.Embedding))

    def refuse(_module: nn.Module, inputs: tuple[torch.Tensor, ...], _output: Any) -> None:
        if inputs[0].numel() > tokens:
            refused.append(len(inputs[0]))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = table.register_forward_hook(refuse)
    try:
        yield refused
    finally:
        hook.remove()
