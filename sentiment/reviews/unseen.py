"""Which reviews of a further dataset a classifier is scored on: those that it can't have learnt by heart."""

from pathlib import Path

import pyarrow as pa

from sentiment.params import Cleaning, Params
from sentiment.reviews.leaks import NONE, Leaks, counted
from sentiment.reviews.table import cut, read_reviews, require_both_labels, select, survey, tidy


def unseen(path: Path, train: Path, cleaning: Cleaning, params: Params) -> tuple[pa.Table, dict[str, int]]:
    """Return a dataset's reviews (id, text, label), cleaned, and the numbers of rows read and left out, by reason.

    Left out is what can't be used, what params.cross_dataset_evaluate.size leaves, and what leaks from the reviews of
    `train`. Raises UserError where one of the labels is left without reviews.
    """
    found = survey(read_reviews(path), cleaning)
    chosen = cut(found.usable, params.cross_dataset_evaluate.size, "test", "cross_dataset_evaluate.size")
    require_both_labels(chosen, str(path), "choose a dataset with both")
    reviews = tidy(pa.concat_tables(select(read_reviews(path), found.ids, chosen, cleaning)))

    leaks = Leaks(reviews["text"].to_pylist(), params.subsample.near_duplicate)
    for training in read_reviews(train):
        leaks.find(training["text"].to_pylist())
    stays = leaks.kinds == NONE
    require_both_labels(chosen[stays], f"{path} without what leaks from {train}", "choose another dataset")
    counts = found.counts | {"not_drawn": len(found.usable) - len(chosen)} | counted(leaks.kinds)
    return reviews.filter(pa.array(stays)), counts
