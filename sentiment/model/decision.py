"""From a model's scores to verdicts, and to saying that it does not know."""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from sentiment.core.schemas import Strict, read_yaml, validate
from sentiment.metrics import HALF

FILE = "decision.json"
"""What train saves beside a model. Models without it, made before there was one or elsewhere, have the defaults."""


class Decision(Strict):
    """A score from `threshold` on is a verdict of positive; verdicts of scores between `low` and `high` are unsure."""

    threshold: float = Field(default=HALF, gt=0, lt=1)
    low: float = Field(default=0.35, ge=0)
    high: float = Field(default=0.65, le=1)

    @model_validator(mode="after")
    def _the_zone_holds_the_threshold(self) -> Self:
        if not self.low <= self.threshold <= self.high:
            raise ValueError("a threshold from low to high")
        return self

    def positive(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Say of each score whether the verdict is positive."""
        return np.asarray(scores) >= self.threshold

    def unsure(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Say of each score whether the model is in doubt; where low and high are the threshold, it never is."""
        scores = np.asarray(scores)
        return np.where(self.positive(scores), scores < self.high, scores > self.low)


def load_decision(model: Path) -> Decision:
    """Read how a model decides; raise UserError when its file is damaged."""
    path = model / FILE
    return validate(Decision, read_yaml(path), path) if path.exists() else Decision()
