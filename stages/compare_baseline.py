"""Say how far the fine-tuned model is ahead of the strongest cheap rival, both having scored the same reviews.

Reads   models/sentiment/, data/predictions/{test,baseline}.parquet, and of NAME, each of cross_datasets,
        data/predictions/{cross,cross_baseline}/NAME.parquet
Writes  metrics/compare_baseline.json    of the test reviews and each further dataset: the difference of the accuracies,
                                         the model's less the rival's, with its paired 95 % interval, and McNemar's p

NAME is each of cross_datasets.

    python -m stages.compare_baseline
"""

from pathlib import Path

from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet

MODEL = Path("models/sentiment")
PREDICTIONS = Path("data/predictions")
METRICS = Path("metrics/compare_baseline.json")
KEPT = ("n", "difference", "difference_low", "difference_high", "mcnemar_p")


def main() -> None:
    names = load_params().cross_datasets
    files = {"test": ("baseline", "test"), **{name: (f"cross_baseline/{name}", f"cross/{name}") for name in names}}

    from sentiment.comparison.significance import compare, pair
    from sentiment.metrics import HALF
    from sentiment.model.decision import load_decision

    thresholds = (HALF, load_decision(MODEL).threshold)
    compared = {}
    for name, both in files.items():
        rival, model = (
            read_parquet(PREDICTIONS / f"{file}.parquet", ["id", "label", "score"]).to_pandas() for file in both
        )
        found = compare(pair(rival, model, name), thresholds)
        compared[name] = {key: found[key] for key in KEPT}
        print("{0}: {difference:+.3f} ({difference_low:+.3f} to {difference_high:+.3f})".format(name, **found))
    write_json(METRICS, compared)


if __name__ == "__main__":
    run(main, "compare_baseline")
