"""The model card: what a trained model is, how to use it, and its limits."""

import re
from typing import Any

from sentiment.core.params import Params
from sentiment.metrics import HALF

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
`preprocessing.json`.

## Training
| parameter | value |
|---|---|
{table}

{choice}.{bias}
It has an accuracy of {accuracy:.3f} and a log loss of {log_loss:.3f} on the validation reviews. The accuracy on reviews
that had no part in the choice is in the pipeline's `metrics/`.

## Use
With transformers, 4.57 or newer, and nothing of the project:

```python
from transformers import pipeline
classify = pipeline("text-classification", "models/sentiment"{trust})
classify("So bad 👎"{cut})
```

{architecture}
The tokenizer cleans texts and names emoji as in training, if it is not one that is written in Python. The scores are
calibrated: the logits were divided by {temperature:.3f}, a temperature that is part of the weights.{drift}

## Verdicts
{verdicts}

## Limits
- It learnt from `{params.dataset}` only; the pipeline's `metrics/cross/` tell how it does on other reviews.
- Two labels: a neutral or mixed review is forced into one of them, often with misplaced confidence.
- Irony, and praise for a part with a verdict against the whole, are hard for any model of this size.
- Of longer reviews only the part that fits into {params.tokenize.max_length} tokens is read.
"""

MEAN = """\
`trust_remote_code=True` lets it run `architecture.py`, which comes with the weights: an average over all tokens, which
transformers' own classifiers lack. Of a longer text the model reads the beginning and the end that fit into
{max_length} tokens, as in training."""
FIRST = """\
No tokenizer can keep a text's beginning and its end: with `truncation=True` only the first {max_length} tokens of a
longer one are read, where training kept both, and without it too long a text is an error."""

CHOICE = "Of {validations} validations, the one at step {best_step} of {steps} was the best"
BIAS = " To lean to neither side on sentences, {bias_shift:+.3f} was then added to positive's log odds."
DRIFT = """
For each factor of e from {tokens:.0f} tokens on, positive's log odds drift by {slope:+.3f} (`length_drift.json`), which
is to be taken off the logits: the lines above do not."""
AT_HALF = "A review is called positive where that is the likelier label."
AT_THRESHOLD = """\
A review is called positive from a score of {threshold:.3f} on (`decision.json`). Only the project knows: what loads the
model without it, as the lines above do, names the likelier label, as if the threshold were 0.5."""
ZONE = """\
Between scores of {low:.3f} and {high:.3f} (`decision.json`) a verdict is unsure: there fewer than {sure_at:.0%} of
those on the validation reviews were right."""
NO_ZONE = "At every score {sure_at:.0%} or more of the verdicts on the validation reviews were right: none is unsure."
AVERAGE = "The average of {runs} trainings, of {steps} steps together, each taken where it validated best"


def model_card(params: Params, origin: dict[str, str], sizes: dict[str, int], metrics: dict[str, Any]) -> str:
    """Return the card in Markdown.

    `origin` is what download wrote of the pretrained model, `sizes` the splits' numbers of reviews, `metrics` those of
    the training.
    """
    values = params.train.decisive | {"seed": params.seed, "threads": params.threads, "precision": params.precision}
    table = "\n".join(f"| {name} | {'' if value is None else value} |" for name, value in values.items())
    mean = params.train.pooling == "mean"
    return CARD.format(
        params=params,
        origin=origin,
        weights=", trained from random weights," if params.train.from_scratch else "",
        licence=origin["licence"].lower(),
        table=table,
        trust=", trust_remote_code=True" if mean else "",
        cut="" if mean else ", truncation=True",
        architecture=(MEAN if mean else FIRST).format(max_length=params.tokenize.max_length),
        train=sizes["train"],
        parts=" and ".join("whole" if count == 1 else f"in {count} parts each" for count in params.tokenize.parts),
        validation=sizes["validation"],
        choice=(CHOICE if params.train.runs == 1 else AVERAGE).format(runs=params.train.runs, **metrics),
        bias=BIAS.format(**metrics) if "bias_shift" in metrics else "",
        drift=DRIFT.format(**metrics["length_drift"]) if "length_drift" in metrics else "",
        accuracy=metrics["validation"]["accuracy"],
        log_loss=metrics["validation"]["log_loss"],
        temperature=metrics["temperature"],
        verdicts=_verdicts(metrics["decision"], params.evaluate.sure_at),
    )


def _verdicts(decision: dict[str, float], sure_at: float) -> str:
    threshold = AT_HALF if decision["threshold"] == HALF else AT_THRESHOLD
    zone = ZONE if decision["low"] < decision["high"] else NO_ZONE
    return f"{threshold} {zone}".format(**decision, sure_at=sure_at)


LOADERS = """\
With optimum-onnx, without torch's weights:

```python
from optimum.onnxruntime import ORTModelForSequenceClassification
from transformers import AutoTokenizer, pipeline
graph = ORTModelForSequenceClassification.from_pretrained(
    "models/exported", subfolder="onnx", file_name="model_quantized.onnx"
)
classify = pipeline("text-classification", graph, tokenizer=AutoTokenizer.from_pretrained("models/exported"))
classify("So bad 👎", truncation=True)
```

With transformers.js, in a browser or in Node, from a folder `models`:

```js
import { env, pipeline } from "@huggingface/transformers";
env.localModelPath = "models";
const classify = await pipeline("text-classification", "exported", { dtype: "q8" });
await classify("So bad 👎");
```

Both read only the beginning of a longer text, where training kept its end, too. Give them one text at a time: 8-bit
integers let the texts of a batch change each other's scores a little.
"""

EXPORTED_USE = """\
## Use
{loaders}
`sentiment.serving.predictor.Predictor` of the project loads this folder with numpy, pyarrow, tokenizers and
onnxruntime, and keeps both ends.

## Exported
`onnx/model_quantized.onnx` holds the weights as 8-bit integers, {bytes_int8:,} bytes instead of {bytes_fp32:,}.
Of {n:,} test reviews it labels {agreement:.2%} as the original does; its accuracy on them is {accuracy_int8:.3f}, the
original's {accuracy_fp32:.3f}.

"""


def exported_card(card: str, figures: dict[str, float]) -> str:
    """Return the card of the model that was exported from the one with this card; `figures` are those of the export."""
    card = card.replace("library_name: transformers", "library_name: onnx", 1)
    use = EXPORTED_USE.format(loaders=LOADERS, **figures)
    return re.sub(r"^## Use\n.*?(?=^## )", lambda _: use, card, count=1, flags=re.DOTALL | re.MULTILINE)
