"""The reviews of a further dataset that a classifier has not seen: those that don't leak from its training reviews."""

from pathlib import Path

import pyarrow as pa

from sentiment.core.params import Cleaning, Params
from sentiment.reviews.leaks import NONE, Leaks, count_leaks
from sentiment.reviews.selection import cut, require_both_labels, select, survey, tidy
from sentiment.reviews.table import read_reviews


def read_unseen(path: Path, train: Path, cleaning: Cleaning, params: Params) -> tuple[pa.Table, dict[str, int]]:
    """Return a dataset's reviews (id, text, label), cleaned, and the numbers of rows read and left out, by reason.

    Left out are rows that can't be used, those beyond params.cross_dataset_evaluate.size, and those that leak from the
    reviews of `train`. Raises UserError where a label is left with fewer than two reviews.
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
    counts = found.counts | {"not_drawn": len(found.usable) - len(chosen)} | count_leaks(leaks.kinds)
    return reviews.filter(pa.array(stays)), counts
