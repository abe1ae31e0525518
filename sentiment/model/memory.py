"""How many rows go through the device at once: all of a batch, or as many as its memory holds."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import torch
from accelerate.utils.memory import clear_device_cache
from tqdm import tqdm

from sentiment.core.errors import UserError

T = TypeVar("T")
SHORTAGES = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")
"""What torch says of GPUs, CUDA's libraries and CPUs, on Linux and on Windows."""
TOO_SMALL = (
    "memory is too small for this model, however few reviews go through it at once: lower tokenize.max_length or "
    "train.layers, take a smaller model, or let train.freeze be encoder"
)


class Portion:
    """Do work on a batch in portions of at most so many rows, half as many whenever memory runs out.

    It says once that it does, and never takes more again, as later batches are like those before.
    """

    def __init__(self, rows: int, of: str) -> None:
        self.rows, self.of, self.asked = rows, of, rows

    def __call__(self, work: Callable[[int], T]) -> T:
        """Return what the work returns; it is told the rows, and repeated from its beginning where they are too many.

        Raises UserError where memory is too small for a single row.
        """
        while True:
            try:
                return work(self.rows)
            except RuntimeError as error:
                if not is_shortage(error):
                    raise
                if self.rows == 1:
                    raise UserError(TOO_SMALL) from None
            # Only now does nothing hold the tensors of the failed attempt.
            clear_device_cache(garbage_collection=True)
            self.lower((self.rows + 1) // 2)

    def lower(self, rows: int) -> None:
        """Take at most so many rows from now on, and say so where all went through at once before."""
        if rows < self.rows == self.asked:
            tqdm.write(
                f"memory is too small for all reviews of {self.of} at once: they go through it in smaller "
                "portions, and the result stays the same, last digits aside"
            )
        self.rows = min(rows, self.rows)


def is_shortage(error: RuntimeError) -> bool:
    """Say whether an error is that memory was too small."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in SHORTAGES)


def cut(batch: Mapping[str, torch.Tensor], rows: int) -> Iterator[dict[str, torch.Tensor]]:
    """Cut a batch of tensors [batch, ...] into as few portions as have at most so many rows, all of like size."""
    count = -(-len(next(iter(batch.values()))) // rows)
    for parts in zip(*(tensor.chunk(count) for tensor in batch.values()), strict=True):
        yield dict(zip(batch, parts, strict=True))
