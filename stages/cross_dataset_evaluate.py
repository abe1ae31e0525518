"""Score the fine-tuned model on the further datasets, which it was not trained on.

Reads   models/sentiment/, data/cross/NAME.parquet, data/subsampled/train.parquet
Writes  metrics/cross/NAME.json                     as evaluate, and the rows read and left out, by reason
        data/predictions/cross/NAME.parquet         id, label, score (the probability of positive)
        plots/cross/{accuracy,confusion}.json       of all datasets

NAME is each of cross_datasets. The reviews are cleaned and encoded as the model's preprocessing.json says. Those that
leak from the training reviews are not scored: how the model does on what it may have learnt by heart says nothing about
other reviews. Several processes share the reviews, as in train.

    python -m stages.cross_dataset_evaluate
"""

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.core import processes
from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.launching import start
from sentiment.core.params import load_params, load_preprocessing
from sentiment.model.reproducible import fix_bits
from sentiment.reviews.unseen import read_unseen

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from sentiment.text.spelling import Spelled

MODEL = Path("models/sentiment")
CROSS = Path("data/cross")
TRAIN = Path("data/subsampled/train.parquet")
METRICS = Path("metrics/cross")
PREDICTIONS = Path("data/predictions/cross")
PLOTS = Path("plots/cross")


def main() -> None:
    params = load_params()
    fix_bits(params)
    if start(params, "stages.cross_dataset_evaluate"):
        return
    cleaning = load_preprocessing(MODEL).cleaning
    # All are read first: should one be unusable, nothing has been scored in vain.
    unseen = {name: read_unseen(CROSS / f"{name}.parquet", TRAIN, cleaning, params) for name in params.cross_datasets}

    from sentiment.evaluation.outputs import summary, write_predictions
    from sentiment.evaluation.scorer import Scorer
    from sentiment.metrics import as_written, confusion, evaluate
    from sentiment.text.spelling import Spelled, warning

    scorer = Scorer(MODEL, params)
    threshold = scorer.decision.threshold

    def score(reviews: "pa.Table") -> tuple["NDArray[np.float64]", "Spelled"]:
        encoded = list(scorer.encode(reviews["text"].to_pylist()))
        scores = as_written(scorer.score([review.input_ids for review in encoded]))
        return scores, Spelled.sum(review.spelled for review in encoded)

    scored = (score(reviews) for reviews, _ in unseen.values())
    if not processes.is_main():
        deque(scored, maxlen=0)
        return
    accuracies: list[dict[str, Any]] = []
    confusions: list[dict[str, Any]] = []
    with replacing(METRICS) as metrics, replacing(PREDICTIONS) as predictions:
        for folder in (metrics, predictions):
            folder.mkdir()
        for (name, (reviews, counts)), (scores, spelled) in zip(unseen.items(), scored, strict=True):
            labels = reviews["label"].to_numpy()
            figures = evaluate(labels, scores, threshold)
            write_predictions(predictions / f"{name}.parquet", reviews, scores)
            write_json(metrics / f"{name}.json", figures | counts)
            low, high = figures["accuracy_low"], figures["accuracy_high"]
            point = {"dataset": name, "accuracy": figures["accuracy"], "low": low, "high": high, "n": figures["n"]}
            accuracies.append(point)
            confusions += [{"dataset": name} | count for count in confusion(labels, scores, threshold)]
            print(f"{name}: {summary(figures)}")
            if strange := spelled.strange(scorer.preprocessing.spelling):
                print(warning(f"warning: the reviews of {name}", strange))
    write_json(PLOTS / "accuracy.json", accuracies)
    write_json(PLOTS / "confusion.json", confusions)


if __name__ == "__main__":
    run(main, "cross_dataset_evaluate", several=True)
