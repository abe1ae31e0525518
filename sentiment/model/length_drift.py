"""The drift of a model's scores with the length of what it reads."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from sentiment.core.schemas import Strict, read_yaml, validate

FILE = "calibration.json"


class LengthDrift(Strict):
    """How positive's log odds drift with the number of tokens: by `slope` for each factor of e from `tokens` on."""

    slope: float
    tokens: float = Field(gt=0)

    def correct(self, logits: NDArray[np.floating], lengths: ArrayLike) -> NDArray[np.floating]:
        """Take the drift off the logits [texts, 2] of texts of so many tokens [texts]; keep the dtype."""
        half = self.slope / 2 * np.log(np.asarray(lengths) / self.tokens)
        return (logits + np.stack([half, -half], axis=1)).astype(logits.dtype)


class Calibration(Strict):
    """What is saved beside a model as calibration.json."""

    temperature: float = Field(gt=0)
    length_drift: LengthDrift | None = None

    def without_drift(self, logits: NDArray[np.floating], sequences: Sequence[Sequence[int]]) -> NDArray[np.floating]:
        """Return the logits [texts, 2] of encoded texts as they are where no drift is known, else without it."""
        return self.length_drift.correct(logits, [len(ids) for ids in sequences]) if self.length_drift else logits


def load_calibration(model: Path) -> Calibration:
    """Read a trained model's calibration; raise UserError when its file is missing or damaged."""
    path = model / FILE
    return validate(Calibration, read_yaml(path), path)
