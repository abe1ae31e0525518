"""From reviews to scores with a trained model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.core.params import Params, load_preprocessing
from sentiment.metrics import scores_of
from sentiment.model.decision import load_decision
from sentiment.model.device import device
from sentiment.model.length_drift import load_length_drift
from sentiment.model.loading import load
from sentiment.model.prediction import predict
from sentiment.text.cleaning import clean
from sentiment.text.encoding import Encoder, Padding, load_tokenizer


class Scorer:
    """A trained model with all that its texts must go through first.

    Raises UserError when the folder lacks a part of it. Scores are probabilities of positive, float64 [reviews].
    """

    def __init__(self, folder: Path, params: Params) -> None:
        self.params = params
        self.preprocessing = load_preprocessing(folder)
        tokenizer = load_tokenizer(folder)
        self.encode = Encoder(tokenizer, self.preprocessing.tokenize, self.preprocessing.emoji)
        self.padding = Padding.of(tokenizer)
        self.length_drift = load_length_drift(folder)
        self.decision = load_decision(folder)
        self.model = load(folder).to(device(params.device))

    def logits(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.floating]:
        """Return the calibrated logits of encoded reviews, float32 [reviews, 2]."""
        logits = predict(
            self.model,
            sequences,
            self.padding,
            batch_size=self.params.evaluate.batch_size,
            precision=self.params.precision,
        )
        return self.length_drift.correct(logits, [len(ids) for ids in sequences]) if self.length_drift else logits

    def score(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Score encoded reviews."""
        return scores_of(self.logits(sequences))

    def score_texts(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Score texts as they come: clean and encode them first, as those of the training were."""
        cleaned = clean(pa.array(texts, pa.string()), self.preprocessing.cleaning).to_pylist()
        return self.score([encoded.input_ids for encoded in self.encode(cleaned)])
