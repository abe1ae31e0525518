"""Score the fine-tuned model on a further dataset, which it was not trained on.

Reads   models/sentiment/, data/cross/NAME.parquet, data/subsampled/train.parquet
Writes  metrics/cross/NAME.json                                 as evaluate, and the rows read and left out, by reason
        data/predictions/cross/NAME.parquet                     id, label, score (the probability of positive)
        plots/cross/NAME/{confusion,roc,reliability}.json

The reviews are cleaned and encoded as the model's preprocessing.json says. Those that leak from the training reviews
are not scored: how the model does on what it may have learnt by heart says nothing about other reviews.

    python -m stages.cross_dataset_evaluate books
"""

from argparse import ArgumentParser
from pathlib import Path

from sentiment.core.command import run
from sentiment.core.params import load_params, load_preprocessing
from sentiment.model.reproducible import fix_bits
from sentiment.reviews.unseen import read_unseen

MODEL = Path("models/sentiment")
CROSS = Path("data/cross")
TRAIN = Path("data/subsampled/train.parquet")
METRICS = Path("metrics/cross")
PREDICTIONS = Path("data/predictions/cross")
PLOTS = Path("plots/cross")


def main() -> None:
    parser = ArgumentParser("cross_dataset_evaluate")
    parser.add_argument("name", help="a dataset of catalog.yaml")
    name = parser.parse_args().name
    params = load_params()
    reviews, counts = read_unseen(CROSS / f"{name}.parquet", TRAIN, load_preprocessing(MODEL).cleaning, params)
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()))

    from sentiment.evaluation.outputs import write_evaluation
    from sentiment.evaluation.scorer import Scorer

    fix_bits(params)
    scorer = Scorer(MODEL, params)
    scores = scorer.score([review.input_ids for review in scorer.encode(reviews["text"].to_pylist())])
    write_evaluation(
        reviews,
        scores,
        counts=counts,
        metrics=METRICS / f"{name}.json",
        predictions=PREDICTIONS / f"{name}.parquet",
        plots=PLOTS / name,
    )


if __name__ == "__main__":
    run(main, "cross_dataset_evaluate")
