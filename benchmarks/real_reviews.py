"""Score the trained model, and TF-IDF beside it, on real reviews that neither ever saw.

Reads   models/sentiment/, data/subsampled/train.parquet, and files of data/real/reviews/ (text, label)
Writes  benchmarks/real_reviews.json    per file: accuracy with its interval, of the model and of the baseline

    python -m benchmarks.real_reviews

Of a file with more than SIZE reviews, SIZE are drawn.
"""

from pathlib import Path
from statistics import mean

import pyarrow as pa
import torch

from benchmarks.real_data import reviews
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.evaluation.baseline import baseline
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import evaluate
from sentiment.reviews.selection import cut, select, survey, tidy
from sentiment.reviews.table import read_reviews

MODEL = Path("models/sentiment")
RESULTS = Path("benchmarks/real_reviews.json")
COUNTED = ("uci-yelp", "uci-amazon", "sst2-dev", "imdb-test")
"""Those that the mean is taken of."""
ALSO = ("imdb-cad-revised-test", "amazon-multi-en-validation", "checklist-sentiment-mft-sample")
SIZE = 2000
KEPT = ("accuracy", "accuracy_low", "accuracy_high", "n")


def main() -> None:
    paths = {name: reviews(name) for name in COUNTED + ALSO}
    params = load_params()
    torch.set_num_threads(params.threads)
    scorer = Scorer(MODEL, params)
    train = read_parquet("data/subsampled/train.parquet", ["text", "label"])
    words = baseline(params.baseline).fit(train["text"].to_pylist(), train["label"].to_numpy())

    results = {}
    for name, path in paths.items():
        found = survey(read_reviews(path), scorer.preprocessing.cleaning)
        drawn = cut(found.usable, min(SIZE, len(found.usable)), "test", "SIZE")
        rows = select(read_reviews(path), found.ids, drawn, scorer.preprocessing.cleaning)
        texts = tidy(pa.concat_tables(rows))["text"].to_pylist()
        scores = {
            "model": scorer.score([review.input_ids for review in scorer.encode(texts)]),
            "baseline": words.predict_proba(texts)[:, 1],
        }
        figures = {kind: evaluate(drawn.label, values) for kind, values in scores.items()}
        results[name] = {kind: {key: figures[kind][key] for key in KEPT} for kind in scores}
        print(name, {kind: round(figures[kind]["accuracy"], 3) for kind in scores})
    means = {kind: mean(results[name][kind]["accuracy"] for name in COUNTED) for kind in ("model", "baseline")}
    write_json(RESULTS, {"files": results, "mean_accuracy": means, "mean_of": COUNTED})


if __name__ == "__main__":
    run(main, "real_reviews")
