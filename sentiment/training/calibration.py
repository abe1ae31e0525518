"""Calibrate a trained classifier: correct its bias, fold a temperature into its last layer, fit how it decides.

Bias and temperature become part of the weights. The threshold does not: scores that are moved so that it is 0.5 are no
longer probabilities.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import ArrayLike, NDArray
from transformers import PreTrainedModel

from sentiment.core.params import Params
from sentiment.metrics import evaluate, scores_of
from sentiment.model.length_drift import LengthDrift
from sentiment.model.prediction import predict
from sentiment.text.encoding import Padding
from sentiment.training.bias import correct_bias, length_drift
from sentiment.training.decision import fit_decision
from sentiment.training.layers import output_layer

LIMITS = (0.05, 20.0)
"""Below, nearly every score would be certain; above, nearly none would differ from 0.5."""


def fit_temperature(labels: ArrayLike, logits: NDArray[np.floating]) -> float:
    """Return the temperature by which logits [reviews, 2] are divided so that their log loss is lowest.

    One number for all reviews moves no score across 0.5 (Guo et al. 2017, arXiv:1706.04599). As in Platt 1999, a label
    counts as certain to n + 1 out of n + 2, n being its number of reviews: where a model gets all of them right, the
    lowest log loss would otherwise ask for certainty without bounds.
    """
    from scipy.optimize import minimize_scalar

    labels = np.asarray(labels)
    log_odds = logits[:, 1].astype(np.float64) - logits[:, 0]
    positives = labels.sum()
    negatives = len(labels) - positives
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(sharpness: float) -> float:
        scaled = log_odds * sharpness
        return float((np.logaddexp(0, scaled) - targets * scaled).mean())

    # Convex in the temperature's inverse, so there is one minimum to find.
    low, high = LIMITS
    found = minimize_scalar(loss, bounds=(1 / high, 1 / low), method="bounded", options={"xatol": 1e-9})
    return float(1 / found.x)


@torch.no_grad()
def divide_logits(model: PreTrainedModel, temperature: float) -> None:
    """Divide the weights and the bias of the model's last layer, and so its logits, by the temperature."""
    for weight in output_layer(model).parameters():
        weight.div_(temperature)


def calibrate(
    model: PreTrainedModel, padding: Padding, validation: pa.Table, sentences: pa.Table, params: Params
) -> dict[str, Any]:
    """Correct the model's bias as train.correct_bias says, then divide its logits by the temperature that fits them.

    The tables hold `input_ids` and `label`. Returns bias_shift, length_drift (either only where it was corrected),
    temperature, decision (what is fitted to the scores that come of all these) and validation: accuracy, with that
    threshold, and log loss, before the temperature.
    """
    found: dict[str, Any] = {}
    if params.train.correct_bias != "none":
        found["bias_shift"] = correct_bias(model, sentences, padding, params)
    labels, sequences = validation["label"].to_numpy(), validation["input_ids"].to_pylist()
    logits = predict(model, sequences, padding, batch_size=params.evaluate.batch_size, precision=params.precision)
    drift = None
    if params.train.correct_bias == "by_length":
        drift = length_drift(sentences, validation, logits)
        logits = drift.correct(logits, [len(ids) for ids in sequences])
    temperature = found["temperature"] = fit_temperature(labels, logits)
    divide_logits(model, temperature)
    scores = scores_of(logits / temperature)
    decision = fit_decision(labels, scores, params.evaluate)
    found["decision"] = decision.model_dump()
    found["validation"] = {
        "accuracy": float((decision.positive(scores) == labels).mean()),
        "log_loss": evaluate(labels, scores_of(logits))["log_loss"],
    }
    if drift:
        found["length_drift"] = LengthDrift(slope=drift.slope / temperature, tokens=drift.tokens).model_dump()
    return found
