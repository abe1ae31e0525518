"""Score the trained model, and the strongest cheap rival beside it, on real reviews that neither ever saw.

Reads   models/, data/subsampled/train.parquet, metrics/baseline.json, and files of data/real/reviews/ (text, label)
Writes  benchmarks/real_reviews.json    per file: accuracy with its interval, of the model and of the rival, and the
                                        model's less the rival's, with its paired interval

    python -m benchmarks.real_reviews

Of a file with more than SIZE reviews, SIZE are drawn.
"""

import json
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd
import pyarrow as pa
import torch

from benchmarks.real_data import reviews
from sentiment.comparison.significance import mean_difference
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.evaluation.baseline import Labelled, refit
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import HALF, evaluate
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
    train = read_parquet("data/subsampled/train.parquet", ["id", "text", "label"])
    choice = json.loads(Path("metrics/baseline.json").read_text(encoding="utf-8"))
    rival = refit(choice["rival"], choice["C"], Labelled.of(train), params)

    thresholds = (HALF, scorer.decision.threshold)
    results: dict[str, Any] = {}
    pairs = {}
    for name, path in paths.items():
        found = survey(read_reviews(path), scorer.preprocessing.cleaning)
        drawn = cut(found.usable, min(SIZE, len(found.usable)), "test", "SIZE")
        rows = select(read_reviews(path), found.ids, drawn, scorer.preprocessing.cleaning)
        texts = tidy(pa.concat_tables(rows))["text"].to_pylist()
        scores = {
            "model": scorer.score([review.input_ids for review in scorer.encode(texts)]),
            "baseline": rival.predict_proba(texts)[:, 1],
        }
        figures = {
            kind: evaluate(drawn.label, scores[kind], threshold)
            for kind, threshold in zip(("baseline", "model"), thresholds, strict=True)
        }
        pairs[name] = pd.DataFrame({"label": drawn.label, "score_a": scores["baseline"], "score_b": scores["model"]})
        results[name] = {kind: {key: figures[kind][key] for key in KEPT} for kind in scores}
        results[name]["lead"] = mean_difference([pairs[name]], thresholds)
        print(name, {kind: round(figures[kind]["accuracy"], 3) for kind in scores})
    means = {kind: mean(results[name][kind]["accuracy"] for name in COUNTED) for kind in ("model", "baseline")}
    written = {"files": results, "mean_accuracy": means, "mean_of": COUNTED, "rival": choice["rival"]}
    write_json(RESULTS, written | {"mean_lead": mean_difference([pairs[name] for name in COUNTED], thresholds)})


if __name__ == "__main__":
    run(main, "real_reviews")
