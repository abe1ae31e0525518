"""A head that leans to neither side on short texts.

A model that learns from whole reviews has less to go by in a single sentence, and says one label more often than the
other. What it says for want of evidence is a bias that can be measured on texts of their kind, and be taken off the
logits (Zhao et al. 2021, arXiv:2102.09690; Zhou et al. 2023, arXiv:2309.17249).
"""

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn
from transformers import PreTrainedModel

from sentiment.classifier import predict
from sentiment.encoding import Padding
from sentiment.errors import UserError


def output_bias(model: PreTrainedModel) -> nn.Parameter:
    """Return the bias of the layer that gives the logits [labels]; raise UserError where it has none, as GPT-2's."""
    labels = model.config.num_labels
    outputs = [layer for layer in model.modules() if isinstance(layer, nn.Linear) and layer.out_features == labels]
    if not outputs or outputs[-1].bias is None:
        raise UserError(
            f"params.yaml: train.correct_bias is true, and the classifier of {model.config.model_type} has no bias: "
            "take train.pooling: mean, or train.correct_bias: false"
        )
    return outputs[-1].bias


def matching_shift(labels: ArrayLike, logits: NDArray[np.floating]) -> float:
    """Return what to add to positive's log odds so that the share said positive is that of the labels.

    labels [texts] are 0 or 1, logits [texts, 2].
    """
    log_odds = logits[:, 1].astype(np.float64) - logits[:, 0]
    return -float(np.quantile(log_odds, 1 - np.asarray(labels).mean()))


@torch.no_grad()
def correct_bias(model: PreTrainedModel, texts: pa.Table, padding: Padding, precision: str) -> float:
    """Shift the model's bias by the matching shift of encoded texts (`input_ids`, `label`), and return the shift."""
    logits = predict(model, texts["input_ids"].to_pylist(), padding, batch_size=64, precision=precision)
    shift = matching_shift(texts["label"].to_numpy(), logits)
    bias = output_bias(model)
    # Half of it on either side, so that the logits stay around zero.
    bias.add_(torch.tensor([-shift / 2, shift / 2], dtype=bias.dtype, device=bias.device))
    return shift
