"""From reviews to scores with a trained model, the way an evaluation needs it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentiment.classifier import device, load, predict
from sentiment.encoding import Encoder, Padding, load_tokenizer
from sentiment.metrics import scores_of
from sentiment.params import Evaluate, Tokenize


def score(folder: Path, sequences: Sequence[Sequence[int]], params: Evaluate) -> NDArray[np.float64]:
    """Return the probability of positive of each encoded review, in their order, from the model in `folder`."""
    logits = predict(
        load(folder).to(device()),
        sequences,
        Padding.of(load_tokenizer(folder)),
        batch_size=params.batch_size,
        precision=params.precision,
    )
    return scores_of(logits)


def score_texts(folder: Path, texts: Sequence[str], tokenize: Tokenize, params: Evaluate) -> NDArray[np.float64]:
    """Return the probability of positive of each cleaned text; `tokenize` is what the model was trained with."""
    encode = Encoder(load_tokenizer(folder), tokenize)
    return score(folder, [encoded.input_ids for encoded in encode(texts)], params)
