"""Weights of the classes in the loss, so that the rarer one counts as much as the other."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn.functional import cross_entropy

from sentiment.core.labels import LABELS


class WeightedLoss:
    """The mean over the rows of cross-entropy times the weight of the row's class, as the Trainer calls it.

    Weights are inverse to the classes' frequencies among the training's labels [reviews], which hold both classes, and
    their mean over these is 1 (King and Zeng 2001, section 4.2). Divided by the rows, and not by the sum of their
    weights as torch's weighted loss is, the loss of a batch is the sum of its portions', and a review counts the same
    whatever shares its batch.
    """

    def __init__(self, labels: ArrayLike) -> None:
        from sklearn.utils.class_weight import compute_class_weight

        weights = compute_class_weight("balanced", classes=np.array(list(LABELS)), y=np.asarray(labels))
        self.weights = torch.tensor(weights, dtype=torch.float32)

    def __call__(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: object = None) -> torch.Tensor:
        """Return the loss of logits [rows, classes] and labels [rows]; how many rows the batch has is not needed."""
        weights = self.weights.to(labels.device)[labels]
        return (cross_entropy(outputs.logits.float(), labels, reduction="none") * weights).mean()
