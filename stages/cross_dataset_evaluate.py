"""Score the fine-tuned model on a further dataset, which it was not trained on.

Reads   models/sentiment/, data/cross/NAME.parquet
Writes  metrics/cross/NAME.json                                 as evaluate
        data/predictions/cross/NAME.parquet                     id, label, score (the probability of positive)
        plots/cross/NAME/{confusion,roc,reliability}.json

The reviews are cleaned and encoded as the model's preprocessing.json says.

    python -m stages.cross_dataset_evaluate books
"""

from argparse import ArgumentParser
from pathlib import Path

from sentiment.command import run
from sentiment.params import load_params, load_preprocessing
from sentiment.reviews import check, cut, prepare, read_parquet, require_both_labels, to_table

MODEL = Path("models/sentiment")
CROSS = Path("data/cross")
METRICS = Path("metrics/cross")
PREDICTIONS = Path("data/predictions/cross")
PLOTS = Path("plots/cross")


def main() -> None:
    parser = ArgumentParser("cross_dataset_evaluate")
    parser.add_argument("name", help="a dataset of catalog.yaml")
    name = parser.parse_args().name
    params = load_params()
    cleaning = load_preprocessing(MODEL).cleaning
    path = CROSS / f"{name}.parquet"
    reviews, dropped = prepare(check(read_parquet(path, ["text", "label"]), str(path)), cleaning)
    reviews = cut(reviews, params.cross_dataset_evaluate.size, "test", "cross_dataset_evaluate.size")
    require_both_labels(reviews, str(path), "choose a dataset with both")
    print(f"{len(reviews):,} reviews, dropped: {dropped}")

    import torch

    from sentiment.evaluation import write_evaluation
    from sentiment.scoring import Scorer

    torch.set_num_threads(params.threads)
    scorer = Scorer(MODEL, params.evaluate)
    scores = scorer.score([review.input_ids for review in scorer.encode(reviews.text.tolist())])
    write_evaluation(
        to_table(reviews),
        scores,
        metrics=METRICS / f"{name}.json",
        predictions=PREDICTIONS / f"{name}.parquet",
        plots=PLOTS / name,
    )


if __name__ == "__main__":
    run(main, "cross_dataset_evaluate")
