"""Score the fine-tuned model on the test reviews.

Reads   models/sentiment/, data/tokenized/test.parquet
Writes  metrics/evaluate.json                                accuracy with its interval, F1, ROC-AUC, calibration
        data/predictions/test.parquet                        id, label, score (the probability of positive)
        plots/evaluate/{confusion,roc,reliability}.json

    python -m stages.evaluate
"""

from pathlib import Path

from sentiment.command import run
from sentiment.params import load_params
from sentiment.reviews import read_parquet

MODEL = Path("models/sentiment")
TEST = Path("data/tokenized/test.parquet")
METRICS = Path("metrics/evaluate.json")
PREDICTIONS = Path("data/predictions/test.parquet")
PLOTS = Path("plots/evaluate")


def main() -> None:
    params = load_params()
    reviews = read_parquet(TEST, ["id", "label", "input_ids"])

    import torch

    from sentiment.evaluation import write_evaluation
    from sentiment.scoring import Scorer

    torch.set_num_threads(params.threads)
    scores = Scorer(MODEL, params.evaluate).score(reviews["input_ids"].to_pylist())
    write_evaluation(reviews, scores, metrics=METRICS, predictions=PREDICTIONS, plots=PLOTS)


if __name__ == "__main__":
    run(main, "evaluate")
