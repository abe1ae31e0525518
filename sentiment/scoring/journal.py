"""Scores that outlive a killed run."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentiment.core.files import sha256
from sentiment.core.reading import Reading
from sentiment.serving.predictor import Predictor


class Journal:
    """The scores of one piece of work, float64, as far as it came; kept in a file so that a killed run can go on."""

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        head = key.encode()
        content = path.read_bytes() if path.is_file() else b""
        whole = content[len(head) :][: (len(content) - len(head)) // 8 * 8] if content.startswith(head) else b""
        self.known = np.frombuffer(whole, np.float64)
        path.write_bytes(head + whole)

    def score(self, predictor: Predictor, texts: Sequence[str]) -> NDArray[np.float64]:
        """Score the next texts; those that an earlier run has scored are not scored again."""
        known, self.known = self.known[: len(texts)], self.known[len(texts) :]
        if len(known) == len(texts):
            return known
        scores = predictor.score_texts(texts[len(known) :])
        with self.path.open("ab") as file:
            file.write(scores.tobytes())
        return np.concatenate([known, scores])


def key_of(source: Path, model: Path, text: str, reading: Reading) -> str:
    """Return what the scores depend on as 64 hex digits: the input, how it is read, the model and the column."""
    parts = [sha256(source), sha256(model), text, reading.model_dump_json(exclude_none=True)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()
