"""The model card: what a trained model is, how to use it, and its limits."""

import re
from typing import Any

from sentiment.core.params import Params

CARD = """\
---
library_name: transformers
pipeline_tag: text-classification
base_model: {origin[origin]}
license: {licence}
---
# Sentiment of reviews: {origin[model]}, fine-tuned on {params.dataset}

Labels a review positive or negative. The encoder{weights} is {origin[origin]}
at revision {origin[revision]}. `provenance.json` names the files, parameters and
software that this model was made from.

## Data
{train:,} reviews of `{params.dataset}` to learn from, {parts}, and
{validation:,} to choose the checkpoint; how they were cleaned and cut to {params.tokenize.max_length} tokens is in
`preprocessing.json`, and must be done again before use.

## Training
| parameter | value |
|---|---|
{table}

{choice}.{bias}
It has an accuracy of {accuracy:.3f} and a log loss of {log_loss:.3f} on the validation reviews. The accuracy on reviews
that had no part in the choice is in the pipeline's `metrics/`.

## Use
The text must be cleaned and encoded as in training; the project's modules do both. Loading the folder with
`AutoModelForSequenceClassification` alone needs `import sentiment.model.loading` before it where pooling is `mean`.
A softmax turns its logits into calibrated scores: they were divided by {temperature:.3f}, a temperature that is part of
the weights.{drift}

## Limits
- It learnt from `{params.dataset}` only; the pipeline's `metrics/cross/` tell how it does on other reviews.
- Two labels: a neutral or mixed review is forced into one of them, often with misplaced confidence.
- Irony, and praise for a part with a verdict against the whole, are hard for any model of this size.
- Of longer reviews only the part that fits into {params.tokenize.max_length} tokens is read.
"""

CHOICE = "Of {validations} validations, the one at step {best_step} of {steps} was the best"
BIAS = " To lean to neither side on sentences, {bias_shift:+.3f} was then added to positive's log odds."
DRIFT = """
For each factor of e from {tokens:.0f} tokens on, positive's log odds drift by {slope:+.3f} (`length_drift.json`), which
is to be taken off before."""
AVERAGE = "The average of {runs} trainings, of {steps} steps together, each taken where it validated best"


def model_card(params: Params, origin: dict[str, str], sizes: dict[str, int], metrics: dict[str, Any]) -> str:
    """Return the card in Markdown.

    `origin` is what download wrote of the pretrained model, `sizes` the splits' numbers of reviews, `metrics` those of
    the training.
    """
    values = params.train.decisive | {"seed": params.seed, "threads": params.threads, "precision": params.precision}
    table = "\n".join(f"| {name} | {'' if value is None else value} |" for name, value in values.items())
    return CARD.format(
        params=params,
        origin=origin,
        weights=", trained from random weights," if params.train.from_scratch else "",
        licence=origin["licence"].lower(),
        table=table,
        train=sizes["train"],
        parts=" and ".join("whole" if count == 1 else f"in {count} parts each" for count in params.tokenize.parts),
        validation=sizes["validation"],
        choice=(CHOICE if params.train.runs == 1 else AVERAGE).format(runs=params.train.runs, **metrics),
        bias=BIAS.format(**metrics) if "bias_shift" in metrics else "",
        drift=DRIFT.format(**metrics["length_drift"]) if "length_drift" in metrics else "",
        accuracy=metrics["validation"]["accuracy"],
        log_loss=metrics["validation"]["log_loss"],
        temperature=metrics["temperature"],
    )


EXPORTED_USE = """\
## Use
`sentiment.serving.predictor.Predictor` loads this folder with numpy, pyarrow, tokenizers and onnxruntime, and cleans
and encodes texts as in training. A softmax turns the logits into calibrated scores.

## Exported
`model.onnx` holds the weights as 8-bit integers, {bytes_int8:,} bytes instead of {bytes_fp32:,}. Of {n:,} test reviews
it labels {agreement:.2%} as the original does; its accuracy on them is {accuracy_int8:.3f}, the original's
{accuracy_fp32:.3f}.

"""


def exported_card(card: str, figures: dict[str, float]) -> str:
    """Return the card of the model that was exported from the one with this card; `figures` are those of the export."""
    card = card.replace("library_name: transformers", "library_name: onnx", 1)
    use = EXPORTED_USE.format(**figures)
    return re.sub(r"^## Use\n.*?(?=^## )", lambda _: use, card, count=1, flags=re.DOTALL | re.MULTILINE)
