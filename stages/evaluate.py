"""Score the fine-tuned model on the test reviews, and show where it fails.

Reads   models/sentiment/, data/tokenized/test.parquet, data/subsampled/test.parquet, metrics/train.json
Writes  metrics/evaluate.json                                accuracy with its interval, F1, ROC-AUC, calibration with
                                                             the temperature and without, coverage at some accuracies,
                                                             and what the answers outside the zone of doubt are worth
        data/predictions/test.parquet                        id, label, score (the probability of positive)
        data/predictions/errors.md                           the most confident errors
        plots/evaluate/{confusion,roc,reliability,risk_coverage}.json
        plots/evaluate/slices.json                           accuracy by length, negation, capitals and so on

Several processes share the reviews, as in train.

    python -m stages.evaluate
"""

import json
from pathlib import Path

from sentiment.core import processes
from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.launching import start
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.model.reproducible import fix_bits

MODEL = Path("models/sentiment")
TOKENIZED = Path("data/tokenized/test.parquet")
SUBSAMPLED = Path("data/subsampled/test.parquet")
TRAINING = Path("metrics/train.json")
METRICS = Path("metrics/evaluate.json")
PREDICTIONS = Path("data/predictions/test.parquet")
ERRORS = Path("data/predictions/errors.md")
PLOTS = Path("plots/evaluate")


def main() -> None:
    params = load_params()
    fix_bits(params)
    if start(params, "stages.evaluate"):
        return
    encoded = read_parquet(TOKENIZED, ["id", "label", "input_ids", "tokens"])
    temperature = json.loads(TRAINING.read_text(encoding="utf-8"))["temperature"]
    reviews = read_parquet(SUBSAMPLED, ["id", "text", "label"]).to_pandas()

    from sentiment.evaluation.outputs import write_evaluation
    from sentiment.evaluation.scorer import Scorer
    from sentiment.evaluation.slices import errors, slices
    from sentiment.metrics import points, scores_of

    scorer = Scorer(MODEL, params)
    logits = scorer.logits(encoded["input_ids"].to_pylist())
    if not processes.is_main():
        return
    reviews["score"] = write_evaluation(
        encoded,
        scores_of(logits),
        threshold=scorer.decision.threshold,
        uncalibrated=scores_of(logits * temperature),
        unsure=scorer.decision.unsure,
        metrics=METRICS,
        predictions=PREDICTIONS,
        plots=PLOTS,
    )

    correct = scorer.decision.positive(reviews.score) == reviews.label.to_numpy()
    truncated = encoded["tokens"].to_numpy() > scorer.preprocessing.tokenize.max_length
    write_json(PLOTS / "slices.json", points("slice", slices(reviews.text, correct, truncated)))
    with replacing(ERRORS) as file:
        file.write_text(errors(reviews, scorer.decision.threshold), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main, "evaluate", several=True)
