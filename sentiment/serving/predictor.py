"""From texts to sentiment with an exported model, without torch or transformers."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.core.errors import UserError, reason
from sentiment.core.params import load_preprocessing
from sentiment.core.schemas import Strict, read_yaml, validate
from sentiment.core.texts import is_text
from sentiment.metrics import scores_of
from sentiment.model.decision import load_decision
from sentiment.model.length_drift import load_length_drift
from sentiment.text.cleaning import clean
from sentiment.text.emoji import EmojiNames
from sentiment.text.encoding import BareEncoder, Encoded, SpecialTokens
from sentiment.text.normalization import without_normalization
from sentiment.text.spelling import Spelled

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

GRAPH = "onnx/model_quantized.onnx"
"""Where the hub's other loaders look for it, too."""
TOKENIZER = "tokenizer.json"
SERVING = "serving.json"

PLAIN = re.compile("[ -;=-~]*")
"""Printable ASCII without "<": texts in which no cleaning finds more to do than to strip blanks from both ends."""


class Serving(Strict):
    """What is saved beside an exported model as serving.json; `labels` are the names of 0 and 1."""

    labels: list[str]
    special_tokens: SpecialTokens


class Predictor:
    """An exported model with all that its texts must go through first.

    Threads may share it. It runs `threads` reviews at a time, each by itself: dynamic quantization lets the reviews of
    a batch change each other's scores, and batches gain nothing once a review is longer than a sentence or two. One
    review alone has all threads.

    Raises UserError when the folder lacks a part of it. Scores are probabilities of positive, float64 [reviews].
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        from tokenizers import Tokenizer

        if not folder.is_dir():
            raise UserError(f"{folder} is missing: dvc repro makes it")
        self.preprocessing = load_preprocessing(folder)
        self.length_drift = load_length_drift(folder)
        self.decision = load_decision(folder)
        serving = validate(Serving, read_yaml(folder / SERVING), folder / SERVING)
        self.labels = serving.labels
        with _loading(folder, TOKENIZER):
            tokenizer: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            without_normalization(tokenizer)
        emoji_names = EmojiNames(self.preprocessing.emoji)
        self.encode = BareEncoder(tokenizer, serving.special_tokens, self.preprocessing.tokenize, emoji_names)
        with _loading(folder, GRAPH):
            self.session = _session(folder / GRAPH, threads=1)
            # The model once more, for a review that comes by itself: all threads share each of its products.
            self.shared_session = _session(folder / GRAPH, threads) if threads > 1 else self.session
        self.pool = ThreadPoolExecutor(threads, "predictor")

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Return each text's label and its score."""
        scores = self.score_texts(texts)
        return [
            (self.labels[int(positive)], float(score))
            for positive, score in zip(self.decision.positive(scores), scores, strict=True)
        ]

    def score_texts(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Score texts as they come: clean and encode them first, as those of the training were.

        Raises UserError for what is no text, naming its place from 0.
        """
        return self.score([encoded.input_ids for encoded in self._encode(texts)])

    def read(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], Spelled]:
        """Score texts in the calling thread, one by one, and return also how they are spelled.

        Several threads keep more processors busy than `score_texts` does where texts are short: they clean, encode and
        score side by side. Raises UserError as `score_texts` does.
        """
        encoded = self._encode(texts)
        sequences = [review.input_ids for review in encoded]
        found = self._scores([_logits(self.session, ids) for ids in sequences], sequences)
        return found, Spelled.sum(review.spelled for review in encoded)

    def spell(self, texts: Sequence[str]) -> Spelled:
        """Return how the tokenizer spells texts as they come."""
        return Spelled.sum(encoded.spelled for encoded in self.encode(self.clean(texts)))

    def strange(self, spelled: Spelled) -> str | None:
        """Say what in the spelling of texts is unlike the training reviews'; None where nothing clearly is."""
        return spelled.strange(self.preprocessing.spelling)

    def clean(self, texts: Sequence[str]) -> list[str]:
        """Clean texts as those of the training were."""
        # Setting up the expressions of the other way takes an eighth of the time of a short review.
        if all(map(PLAIN.fullmatch, texts)):
            return [text.strip() for text in texts]
        return clean(pa.array(texts, pa.string()), self.preprocessing.cleaning).to_pylist()

    def score(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Score encoded reviews."""
        if len(sequences) == 1:
            found = [_logits(self.shared_session, sequences[0])]
        else:
            found = list(self.pool.map(partial(_logits, self.session), sequences))
        return self._scores(found, sequences)

    def _encode(self, texts: Sequence[str]) -> list[Encoded]:
        for place, text in enumerate(texts):
            if not is_text(text):
                raise UserError(f"text {place} is {text!r:.40}, but must be a string of whole Unicode characters")
        return list(self.encode(self.clean(texts)))

    def _scores(self, found: list[NDArray[np.float32]], sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        logits = np.array(found, np.float32).reshape(-1, len(self.labels))
        if self.length_drift:
            logits = self.length_drift.correct(logits, [len(ids) for ids in sequences])
        return scores_of(logits)


def _session(graph: Path, threads: int) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _logits(session: "InferenceSession", input_ids: Sequence[int]) -> NDArray[np.float32]:
    ids = np.array([input_ids], np.int64)
    ((logits,),) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    return logits


@contextmanager
def _loading(folder: Path, file: str) -> Iterator[None]:
    """Turn what the libraries raise for a missing or damaged file into a UserError; they know only Exception."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{folder} holds no usable {file}: {reason(error)}; dvc repro makes it anew") from None
