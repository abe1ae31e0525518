"""The model that is served: read by many requests at once, replaced while they go on."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app.batching import Batcher, OverloadedError
from app.observation import Metrics, log
from app.settings import Settings
from sentiment.core.errors import UserError, reason
from sentiment.core.files import sha256
from sentiment.model.decision import Decision
from sentiment.serving.predictor import TOKENIZER, Predictor
from sentiment.text.normalization import without_normalization

PROBE = "The film was good."
CARD = "README.md"


@dataclass(frozen=True)
class Model:
    """A loaded model: `identity` is 12 hex digits that equal models share; `metrics` are the pipeline's, by file."""

    predictor: Predictor
    identity: str
    card: str
    metrics: dict[str, Any]
    tokenizers: dict[str, Path]


def load(settings: Settings) -> Model:
    """Load the exported model and what the page shows of it; raise UserError unless it can read a text."""
    folder = settings.model
    predictor = Predictor(folder, settings.threads)
    try:
        (score,) = predictor.score_texts([PROBE])
    except Exception as error:  # the runtime raises nothing more specific
        raise UserError(
            f"{folder} holds a model that can't read a text: {reason(error)}; dvc repro makes it anew"
        ) from None
    if not np.isfinite(score):
        raise UserError(f"{folder} holds a model whose scores are not numbers; dvc repro makes it anew")
    content = " ".join(sha256(path) for path in sorted(folder.rglob("*")) if path.is_file())
    card = folder / CARD
    return Model(
        predictor=predictor,
        identity=hashlib.sha256(content.encode()).hexdigest()[:12],
        card=card.read_text(encoding="utf-8") if card.is_file() else "",
        metrics={
            path.relative_to(settings.metrics).with_suffix("").as_posix(): json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(settings.metrics.rglob("*.json"))
        },
        tokenizers=_tokenizers(folder / TOKENIZER, settings.tokenizers),
    )


def _tokenizers(own: Path, folder: Path) -> dict[str, Path]:
    """Return the tokenizers by name: the model's own first, whether it is among those compared or not."""
    from tokenizers import Tokenizer

    compared = {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.json"))}
    bare = Tokenizer.from_file(str(own))
    without_normalization(bare)
    same = [name for name, path in compared.items() if Tokenizer.from_file(str(path)).to_str() == bare.to_str()]
    return dict.fromkeys(same or ["the model's own"], own) | {n: p for n, p in compared.items() if n not in same}


class Read(NamedTuple):
    """What became of a text: the calibrated probability of positive, and the model's identity and way to decide."""

    score: float
    model: str
    decision: Decision


class Service:
    """The served model and the queue before it. `ready` says whether it takes requests."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.model = load(settings)
        self.ready = False
        self.batcher = Batcher(self.read, settings.batch, settings.queue, metrics.batch.observe)
        metrics.waiting.set_function(lambda: self.batcher.waiting)
        log("loaded", model=self.model.identity, folder=str(settings.model))

    def read(self, texts: Sequence[str]) -> list[Read]:
        """Read texts with the current model, past the queue."""
        model = self.model
        decision = model.predictor.decision
        return [Read(score, model.identity, decision) for score in model.predictor.score_texts(texts).tolist()]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read what is queued while this context lasts."""
        self.loop = asyncio.get_running_loop()
        worker = asyncio.create_task(self.batcher.run())
        self.ready = True
        try:
            yield
        finally:
            self.ready = False
            worker.cancel()

    def read_from_thread(self, texts: Sequence[str]) -> list[float]:
        """Return the scores of any number of texts; they queue up a batch at a time, so that others get their turn."""
        scores: list[float] = []
        while len(scores) < len(texts):
            batch = texts[len(scores) : len(scores) + self.settings.batch]
            try:
                found = asyncio.run_coroutine_threadsafe(self.batcher.read(batch), self.loop).result()
            except OverloadedError:
                time.sleep(0.2)
            else:
                scores += [each.score for each in found]
        return scores

    async def reload(self) -> None:
        """Replace the model by the one that is in its folder now; if that is unusable, keep the old one.

        Batches that have begun are finished by the model that began them.
        """
        try:
            model = await asyncio.to_thread(load, self.settings)
        except (UserError, OSError, ValueError) as error:
            self.metrics.loads.labels("failed").inc()
            log("kept", level="error", model=self.model.identity, reason=str(error))
            return
        self.model = model
        self.metrics.loads.labels("loaded").inc()
        log("loaded", model=model.identity, folder=str(self.settings.model))
