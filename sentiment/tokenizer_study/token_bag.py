"""A classifier that trains in a second: the average of a review's token vectors, and a linear layer (fastText).

It ignores the order of tokens, so its accuracy depends on what single tokens tell: Joulin et al. 2016,
arXiv:1607.01759, without their n-grams.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from sentiment.metrics import proportion

DIMENSIONS = 32
EPOCHS = 10
BATCH = 32
RATE = 0.01
RESAMPLES = 10_000

Ids = Sequence[Sequence[int]]


class TokenBag(nn.Module):
    """Average the vectors of the tokens, and tell the label by the average."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(vocabulary, DIMENSIONS, mode="mean")
        nn.init.uniform_(self.vectors.weight, -1 / DIMENSIONS, 1 / DIMENSIONS)
        self.head = nn.Linear(DIMENSIONS, 2)

    def forward(self, reviews: list[torch.Tensor]) -> torch.Tensor:
        """Return logits [reviews, 2] of reviews' token ids."""
        starts = torch.tensor([0, *(len(ids) for ids in reviews[:-1])]).cumsum(0)
        logits: torch.Tensor = self.head(self.vectors(torch.cat(reviews), starts))
        return logits


def train_and_test(
    train: Ids, labels: ArrayLike, validation: Ids, validation_labels: ArrayLike, seeds: Sequence[int]
) -> NDArray[np.bool_]:
    """Train a classifier for each seed, and return which validation reviews it gets right: [seeds, reviews].

    Tokens that no training review holds are left out, as their vectors would be noise.
    """
    known = np.unique(np.concatenate([np.asarray(ids, np.int64) for ids in train]))
    reviews, unseen = (
        [torch.from_numpy(np.searchsorted(known, np.asarray(ids, np.int64)[np.isin(ids, known)])) for ids in part]
        for part in (train, validation)
    )
    targets = torch.from_numpy(np.asarray(labels, np.int64))
    found = [_fit(len(known), reviews, targets, seed)(unseen).argmax(1).numpy() for seed in seeds]
    return np.stack(found) == np.asarray(validation_labels)


def _fit(vocabulary: int, reviews: list[torch.Tensor], targets: torch.Tensor, seed: int) -> TokenBag:
    torch.manual_seed(seed)
    model = TokenBag(vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        order = torch.randperm(len(reviews))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            loss = nn.functional.cross_entropy(model([reviews[row] for row in rows.tolist()]), targets[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return model.requires_grad_(requires_grad=False)


def accuracy(right: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the mean accuracy of one or more trials [trials, reviews], and two measures of its uncertainty.

    `accuracy_sd`, the standard deviation over several trials, is the uncertainty from training. The Wilson 95 %
    interval of the mean on so many reviews is that from drawing the reviews, which more trials don't reduce.
    """
    trials, n = right.shape
    spread = {"accuracy_sd": float(right.mean(1).std(ddof=1))} if trials > 1 else {}
    return proportion("accuracy", float(right.sum()) / trials, n) | {"n": n} | spread


def difference(right: NDArray[np.bool_], reference: NDArray[np.bool_]) -> dict[str, float]:
    """Return by how much the mean accuracy exceeds the reference's, both [seeds, reviews], and a 95 % interval.

    It is the percentile interval of a paired bootstrap: a review is drawn together with both verdicts on it.
    """
    paired = right.mean(0) - reference.mean(0)
    drawn = np.random.default_rng(0).integers(len(paired), size=(RESAMPLES, len(paired)))
    low, high = np.percentile(paired[drawn].mean(1), [2.5, 97.5])
    return {"difference": float(paired.mean()), "difference_low": float(low), "difference_high": float(high)}
