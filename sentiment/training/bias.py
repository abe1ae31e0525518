"""Correct a classifier's bias towards one label on short texts.

A model trained on whole reviews finds less evidence in a single sentence, and then prefers one label. This preference
can be measured on sentences and subtracted from the logits (Zhao et al. 2021, arXiv:2102.09690; Zhou et al. 2023,
arXiv:2309.17249).

Where a model reads more tokens than it was trained on, the bias drifts with the length of the text. A line over the
logarithm of the length, through the bias on sentences and that on whole reviews, follows it.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import ArrayLike, NDArray
from transformers import PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.model.length_drift import LengthDrift
from sentiment.model.prediction import predict
from sentiment.text.encoding import Padding
from sentiment.training.layers import output_layer


def check_bias(model: PreTrainedModel, sentences: pa.Table, reviews: pa.Table, correction: str) -> None:
    """Raise UserError where the bias can't be corrected in this way (a value of train.correct_bias), before a training.

    The layer that gives the logits must have a bias, as GPT-2's own classifier has not; for by_length the reviews must
    be longer than their sentences.
    """
    if correction != "none" and output_layer(model).bias is None:
        raise UserError(
            f"params.yaml: train.correct_bias is {correction}, and the classifier of {model.config.model_type} has no "
            "bias: take train.pooling: mean, or train.correct_bias: none"
        )
    if correction == "by_length":
        typical_lengths(sentences, reviews)


def matching_shift(labels: ArrayLike, logits: NDArray[np.floating]) -> float:
    """Return what to add to positive's log odds so that the share said positive is that of the labels.

    labels [texts] are 0 or 1, logits [texts, 2].
    """
    log_odds = logits[:, 1].astype(np.float64) - logits[:, 0]
    return -float(np.quantile(log_odds, 1 - np.asarray(labels).mean()))


@torch.no_grad()
def correct_bias(model: PreTrainedModel, texts: pa.Table, padding: Padding, params: Params) -> float:
    """Shift the model's bias by the matching shift of encoded texts (`input_ids`, `label`), and return the shift."""
    sequences = texts["input_ids"].to_pylist()
    logits = predict(model, sequences, padding, batch_size=params.evaluate.batch_size, precision=params.precision)
    shift = matching_shift(texts["label"].to_numpy(), logits)
    bias = output_layer(model).bias
    # Half of it on either side, so that the logits stay around zero.
    bias.add_(torch.tensor([-shift / 2, shift / 2], dtype=bias.dtype, device=bias.device))
    return shift


def typical_lengths(sentences: pa.Table, reviews: pa.Table) -> tuple[float, float]:
    """Return the geometric mean number of tokens of encoded sentences and of the reviews that they are from.

    Raises UserError where the reviews are hardly longer, which leaves nothing to draw a line between.
    """
    lengths = [pc.list_value_length(texts["input_ids"]).to_numpy() for texts in (sentences, reviews)]
    short, long = (float(np.exp(np.log(count).mean())) for count in lengths)
    if long < 2 * short:
        raise UserError(
            f"params.yaml: train.correct_bias is by_length, and the validation reviews have {long:.0f} tokens where "
            f"their sentences have {short:.0f}, less than twice as many: take sentences"
        )
    return short, long


def length_drift(sentences: pa.Table, reviews: pa.Table, logits: NDArray[np.floating]) -> LengthDrift:
    """Return the drift from sentences, on which the bias is corrected, to whole reviews of such logits [reviews, 2].

    The line goes through both, so that of either as many are said positive as are labelled so.
    """
    short, long = typical_lengths(sentences, reviews)
    return LengthDrift(slope=-matching_shift(reviews["label"].to_numpy(), logits) / np.log(long / short), tokens=short)
