"""Length-bucketed batches: the order in which a training sees its reviews, so that little is computed for padding."""

import math
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from sentiment.core import processes

BUCKET_BATCHES = 100
"""A thirtieth of the tokens of the default, whose reviews differ much in length, is padding then; of 25, an eighth."""


class LengthBucketSampler(Sampler[int]):
    """Yield row numbers so that each batch holds reviews of similar length, in an order fixed by seed and epoch.

    Rows are shuffled, cut into buckets of BUCKET_BATCHES batches, sorted by length within each, and the batches
    shuffled again. Seeding anew for each epoch makes a resumed run see the batches that an uninterrupted one sees.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next; accelerate calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return an epoch's batches of row numbers; only the last may be smaller than batch_size."""
        random = np.random.default_rng([self.seed, epoch])
        rows = random.permutation(len(self.lengths))
        bucket = self.batch_size * BUCKET_BATCHES
        buckets = [rows[start : start + bucket] for start in range(0, len(rows), bucket)]
        rows = np.concatenate([part[np.argsort(self.lengths[part], kind="stable")] for part in buckets])
        whole = len(rows) // self.batch_size * self.batch_size
        batches = list(rows[:whole].reshape(-1, self.batch_size))
        shuffled = [batches[i] for i in random.permutation(len(batches))]
        return shuffled + ([rows[whole:]] if whole < len(rows) else [])

    def __iter__(self) -> Iterator[int]:
        for batch in self.batches(self.epoch):
            yield from batch.tolist()

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self) / self.batch_size)

    def rows_in(self, step: int) -> int:
        """Return how many rows the step learns from, counted from 0 over all epochs."""
        return min(self.batch_size, len(self) - step % self.steps_per_epoch * self.batch_size)

    def padded_tokens(self, epochs: float) -> np.ndarray:
        """Return each step's tokens, padding included: what the step costs. int64 [epochs * steps per epoch]."""
        steps = max(1, round(epochs * self.steps_per_epoch))
        batches = (rows for epoch in range(math.ceil(epochs)) for rows in self.batches(epoch))
        return np.array([len(rows) * self.lengths[rows].max() for rows in islice(batches, steps)])


def own_rows(rows: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return this process's share of a batch's rows, or the first one, which counts nothing, where that is empty."""
    own = rows[processes.rank() :: processes.count()]
    return own if len(own) else rows[:1]


class OwnBatches(Sampler[list[int]]):
    """The batches of a sampler as a process sees them that learns with others: its own rows of each."""

    def __init__(self, batch_sampler: LengthBucketSampler) -> None:
        self.batch_sampler = batch_sampler

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose batches come next; the Trainer calls it here or on the sampler."""
        self.batch_sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return self.batch_sampler.steps_per_epoch

    def __iter__(self) -> Iterator[list[int]]:
        for rows in self.batch_sampler.batches(self.batch_sampler.epoch):
            yield own_rows(rows).tolist()
