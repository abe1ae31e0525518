"""What the pretrained encoder makes of texts before any fine-tuning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from sentiment.core.params import Params
from sentiment.model.device import device
from sentiment.model.prediction import predict
from sentiment.model.pretrained import averaging
from sentiment.text.encoding import Encoder, Padding, load_tokenizer

PRETRAINED = Path("models/pretrained")


class EncoderAverages(TransformerMixin, BaseEstimator):
    """Turn texts into the average of the encoder's last layer over their tokens, float32 [texts, hidden size].

    Texts are cut, batched and computed as params.yaml says for the fine-tuned model. Nothing is learnt.
    """

    def __init__(self, params: Params) -> None:
        self.params = params

    def fit(self, *_: Any) -> Self:
        tokenizer = load_tokenizer(PRETRAINED)
        self.encode_ = Encoder(tokenizer, self.params.tokenize)
        self.padding_ = Padding.of(tokenizer)
        self.model_ = averaging(PRETRAINED, tokenizer).to(device(self.params.device))
        return self

    def transform(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return predict(
            self.model_,
            [review.input_ids for review in self.encode_(texts)],
            self.padding_,
            batch_size=self.params.evaluate.batch_size,
            precision=self.params.precision,
        )
