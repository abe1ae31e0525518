"""How a model's scores drift with the length of what it reads."""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from sentiment.core.schemas import Strict, read_yaml, validate

FILE = "length_drift.json"
"""What train saves beside a model whose scores are corrected by length; other models have no such file."""


class LengthDrift(Strict):
    """How positive's log odds drift with the number of tokens: by `slope` for each factor of e from `tokens` on."""

    slope: float
    tokens: float = Field(gt=0)

    def correct(self, logits: NDArray[np.floating], lengths: ArrayLike) -> NDArray[np.floating]:
        """Take the drift off the logits [texts, 2] of texts of so many tokens [texts]; keep the dtype."""
        half = self.slope / 2 * np.log(np.asarray(lengths) / self.tokens)
        return (logits + np.stack([half, -half], axis=1)).astype(logits.dtype)


def load_length_drift(model: Path) -> LengthDrift | None:
    """Read a model's drift, None where it has none; raise UserError when its file is damaged."""
    path = model / FILE
    return validate(LengthDrift, read_yaml(path), path) if path.exists() else None
