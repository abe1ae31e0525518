"""Which reviews belong together, and folds that part none of those."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import UserError
from sentiment.core.labels import LABELS
from sentiment.reviews.companions import companions
from sentiment.reviews.leaks import Index, bands, jaccard, words_of
from sentiment.reviews.selection import content_id


def groups(texts: Sequence[str], near_duplicate: float) -> NDArray[np.int64]:
    """Return the group of each text, int64 [texts]: companions and near-duplicates are in one, directly or by others.

    `near_duplicate` is the share of their word pairs that makes two texts near-duplicates.
    """
    return _joined(len(texts), np.concatenate([companions(texts, [texts]), near_duplicates(texts, near_duplicate)]))


def near_duplicate_groups(texts: Sequence[str], near_duplicate: float) -> NDArray[np.int64]:
    """Return the group of each text, int64 [texts]: near-duplicates are in one, and what differs in case and blanks."""
    first: dict[str, int] = {}
    copies = [(row, first.setdefault(content_id(text), row)) for row, text in enumerate(texts)]
    return _joined(len(texts), np.concatenate([_pairs(copies), near_duplicates(texts, near_duplicate)]))


def near_duplicates(texts: Sequence[str], threshold: float) -> NDArray[np.int64]:
    """Return the pairs of rows, int64 [pairs, 2], whose texts share so much of their word pairs, as in `leaks`."""
    word_pairs = [_word_pairs(text) for text in texts]
    hashes = bands(word_pairs)
    found = [
        (one, other)
        for one, other in Index([hashes]).pairs(hashes)
        if one < other and jaccard(word_pairs[one], word_pairs[other]) >= threshold
    ]
    return _pairs(found)


def folds_of(labels: NDArray[np.integer], groups: NDArray[np.int64], number: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each review, int64 [reviews], from 0: a group is in one fold, each label spread over all.

    Raises UserError for more folds, 2 or more, than there are groups of a label.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    for label, name in LABELS.items():
        count = len(np.unique(groups[labels == label]))
        if count < number:
            raise UserError(
                f"{number} folds can't all have {name} reviews, of which there are {count} that do not belong "
                "together: give fewer folds, or more reviews"
            )
    folds = np.empty(len(labels), np.int64)
    splitter = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(labels, labels, groups)):
        folds[held_out] = fold
    return folds


def _word_pairs(text: str) -> list[str]:
    words = words_of(text).split()
    return [f"{word} {following}" for word, following in pairwise(words)] or words


def _pairs(found: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(found, np.int64).reshape(-1, 2)


def _joined(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the connected component of each of so many rows."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(links, directed=False)[1].astype(np.int64)
