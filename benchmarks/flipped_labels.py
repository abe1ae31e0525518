"""Flip some labels on purpose, and count how many of those the label audit finds.

Out-of-fold scores come from TF-IDF and a logistic regression, which learn from the flipped labels too: a training of
the transformer for each fold of 25,000 long reviews takes an hour. Labels that were wrong before count as false alarms,
so the precision is a lower bound.

Reads   data/real/reviews/imdb-train.parquet, data/subsampled/{train,validation}.parquet, params.yaml
Writes  benchmarks/flipped_labels.json    per set of reviews: how many were flipped and suspected, and of the first
                                          suspects how many had been flipped

    python -m benchmarks.flipped_labels [--share 0.02]
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from benchmarks.folds import read_pool
from benchmarks.grouping import folds_of, groups
from benchmarks.label_audit import suspects
from benchmarks.real_data import reviews
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params, load_params
from sentiment.metrics import evaluate
from sentiment.reviews.selection import select, survey, tidy
from sentiment.reviews.table import read_reviews

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path("benchmarks/flipped_labels.json")
IMDB = "imdb-train"
FOLDS = 5
C = 10
"""Inverse strength of the regression's L2 penalty."""
FIRST = 100


def read_usable(path: Path, params: Params) -> "pd.DataFrame":
    """Return a file's reviews (id, text, label), cleaned and each once, by id."""
    found = survey(read_reviews(path), params.subsample.cleaning)
    rows = select(read_reviews(path), found.ids, found.usable, params.subsample.cleaning)
    return tidy(pa.concat_tables(rows)).to_pandas()


def flip(labels: NDArray[np.integer], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which labels are flipped, bool [labels]: so large a share of them, by chance."""
    flipped = np.zeros(len(labels), bool)
    flipped[np.random.default_rng(seed).choice(len(labels), round(share * len(labels)), replace=False)] = True
    return flipped


def out_of_fold(texts: Sequence[str], labels: NDArray[np.integer], folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score each text by a classifier that learnt from the other folds, float64 [texts].

    Words are counted once for all folds, as that knows no labels.
    """
    counts = CountVectorizer(ngram_range=(1, 2)).fit_transform(texts)
    scores = np.empty(len(labels))
    for fold in tqdm(np.unique(folds), desc="folds"):
        held_out = folds == fold
        classifier = make_pipeline(TfidfTransformer(), LogisticRegression(C=C, max_iter=1000))
        classifier.fit(counts[~held_out], labels[~held_out])
        scores[held_out] = classifier.predict_proba(counts[held_out])[:, 1]
    return scores


def found_among(ranked: NDArray[np.int64], flipped: NDArray[np.bool_], first: int) -> dict[str, Any]:
    """Return how many of the first suspects, or of all if they are fewer, had been flipped.

    The precision is their share of these suspects, the recall that of all that were flipped.
    """
    shown = ranked[:first]
    hits = int(flipped[shown].sum())
    precision = hits / max(1, len(shown))
    return {"first": len(shown), "found": hits, "precision": precision, "recall": hits / int(flipped.sum())}


def try_on(reviews: "pd.DataFrame", share: float, params: Params) -> dict[str, Any]:
    """Flip labels of the reviews, audit them, and return what was found among the first FIRST, N, 2 N and all suspects.

    N is the number of flipped labels.
    """
    labels = reviews.label.to_numpy()
    flipped = flip(labels, share, params.seed)
    given = np.where(flipped, 1 - labels, labels)
    texts = reviews.text.tolist()
    folds = folds_of(given, groups(texts, params.subsample.near_duplicate), FOLDS, params.seed)
    scores = out_of_fold(texts, given, folds)
    ranked = suspects(given, scores)
    number = int(flipped.sum())
    return {
        "reviews": len(reviews),
        "flipped": number,
        "suspects": len(ranked),
        "accuracy": evaluate(labels, scores)["accuracy"],
        "among": [found_among(ranked, flipped, first) for first in (FIRST, number, 2 * number, len(ranked))],
    }


def main() -> None:
    parser = ArgumentParser("flipped_labels")
    parser.add_argument("--share", type=float, default=0.02, help="of the labels that are flipped (0.02)")
    arguments = parser.parse_args()
    if not 0 < arguments.share < 0.5:
        raise UserError(f"--share is {arguments.share}, but must be more than 0 and less than 0.5")
    params = load_params()
    pools = {params.dataset: read_pool(), IMDB: read_usable(reviews(IMDB), params)}
    results = {}
    for name, pool in pools.items():
        results[name] = try_on(pool, arguments.share, params)
        among = results[name]["among"][1]
        print(f"{name}: of the first {among['first']:,} suspects {among['precision']:.0%} had been flipped")
    write_json(RESULTS, {"share": arguments.share, "folds": FOLDS, "seed": params.seed, "reviews": results})


if __name__ == "__main__":
    run(main, "flipped_labels")
