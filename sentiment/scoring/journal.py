"""Scores that outlive a killed run."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentiment.core.files import sha256
from sentiment.core.reading import Reading
from sentiment.scoring.rows import Mapping, Score, Scores


class Journal:
    """The scores of one piece of work, float64, as far as it came; kept in a file so that a killed run can go on."""

    def __init__(self, path: Path, key: str, mapping: Mapping) -> None:
        self.path, self.mapping = path, mapping
        head = key.encode()
        content = path.read_bytes() if path.is_file() else b""
        whole = content[len(head) :][: (len(content) - len(head)) // 8 * 8] if content.startswith(head) else b""
        self.known = np.frombuffer(whole, np.float64)
        self.beginning: bytes | None = head + whole

    def map(self, score: Score, chunks: Iterable[Sequence[str]]) -> Iterator[NDArray[np.float64]]:
        """Score chunks of texts, in order; those that an earlier run has scored are not scored again.

        Like `mapping`, which does the work, it begins at once.
        """
        if self.beginning is not None:
            # Not before: a file that can't be read leaves nothing.
            self.path.write_bytes(self.beginning)
            self.beginning = None
        begun = [(chunk, self._take(len(chunk))) for chunk in chunks]
        return self._keep(begun, self.mapping(score, [chunk[len(known) :] for chunk, known in begun]))

    def _take(self, count: int) -> NDArray[np.float64]:
        taken, self.known = self.known[:count], self.known[count:]
        return taken

    def _keep(
        self, begun: Sequence[tuple[Sequence[str], NDArray[np.float64]]], scored: Iterable[Scores]
    ) -> Iterator[NDArray[np.float64]]:
        for (_, known), new in zip(begun, scored, strict=True):
            scores = np.asarray(new, np.float64)
            with self.path.open("ab") as file:
                file.write(scores.tobytes())
            yield np.concatenate([known, scores])


def key_of(source: Path, model: Path, text: str, reading: Reading) -> str:
    """Return what the scores depend on as 64 hex digits: the input, how it is read, the model and the column."""
    parts = [sha256(source), sha256(model), text, reading.model_dump_json(exclude_none=True)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()
