"""Fit the cheap rivals to the same training reviews, choose the strongest, and score it on the same test reviews.

Reads   data/subsampled/{train,validation,test}.parquet, models/pretrained/
Writes  metrics/baseline.json                             as evaluate; which rival it is, and the accuracy and log loss
                                                          of all candidates on the validation reviews, which decide
        data/predictions/baseline.parquet                 id, label, score (the probability of positive)
        plots/baseline/{confusion,roc,reliability,risk_coverage}.json

    python -m stages.baseline
"""

from pathlib import Path

from sentiment.core.command import run
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.model.reproducible import fix_bits

SUBSAMPLED = Path("data/subsampled")
METRICS = Path("metrics/baseline.json")
PREDICTIONS = Path("data/predictions/baseline.parquet")
PLOTS = Path("plots/baseline")


def main() -> None:
    params = load_params()
    fix_bits(params)
    train, validation, test = (
        read_parquet(SUBSAMPLED / f"{split}.parquet", ["id", "text", "label"])
        for split in ("train", "validation", "test")
    )

    from sentiment.evaluation.baseline import Labelled, strongest
    from sentiment.evaluation.outputs import write_evaluation

    found = strongest(Labelled.of(train), Labelled.of(validation), params)
    for candidate in found.candidates:
        print(f"{candidate.rival}, C {candidate.C:g}: validation accuracy {candidate.accuracy:.3f}")
    print(f"the strongest: {found.chosen.rival}")
    scores = found.score(test["text"].to_pylist())
    write_evaluation(test, scores, metrics=METRICS, predictions=PREDICTIONS, plots=PLOTS, described=found.described())


if __name__ == "__main__":
    run(main, "baseline")
