"""Companions: short reviews that share most of their words, as "She can sing" and "She can't sing" do.

What a model learnt from one of them tells of the other, or misleads about it, so companions belong on one side of the
cut between training and validation. They are found by MinHash LSH, as near duplicates are (see `leaks`), over single
words in place of pairs of them, which a "not" changes.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from sentiment.reviews.leaks import Index, bands, jaccard, words_of

ALIKE = 0.5
"""The share of the words that either has, which both have."""
MOST_WORDS = 40
"""Reviews of more words that are that much alike are near duplicates, of which one is dropped."""
LARGEST = 8
"""More that are alike follow a template, of which either side may have some."""

Ids = NDArray[np.uint64]


def companions(texts: Sequence[str], batches: Iterable[Sequence[str]]) -> NDArray[np.int64]:
    """Return the pairs of companions, int64 [pairs, 2]: the row among `texts`, and that among those of `batches`.

    Of a text with more than LARGEST only so many and one are returned.
    """
    ours = [_words(text) for text in texts]
    index = Index([bands(ours)])
    found = []
    counts = np.zeros(len(ours), np.int64)
    start = 0
    for batch in batches:
        others = [_words(text) for text in batch]
        for other, own in index.pairs(bands(others)):
            if counts[own] <= LARGEST and jaccard(ours[own], others[other]) >= ALIKE:
                counts[own] += 1
                found.append((own, start + other))
        start += len(batch)
    return np.array(found, np.int64).reshape(-1, 2)


def exchange(pairs: NDArray[np.int64], ours: Ids, others: Ids, salt: str) -> tuple[Ids, Ids]:
    """Return the ids of ours that go to the others and of the others that come to us, so that no pair is parted.

    Groups of companions move as a whole, those of more than LARGEST not at all. Which way is a coin that `salt` and the
    group's least id toss, so that either side keeps its size but for chance.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    own, other = (np.unique(column, return_inverse=True) for column in pairs.T)
    places = (own[1], len(own[0]) + other[1])
    ids = np.concatenate([ours[own[0]], others[other[0]]])
    links = coo_array((np.ones(len(pairs), np.int8), places), shape=(len(ids), len(ids)))
    count, groups = connected_components(links, directed=False)
    least = np.full(count, 2**64 - 1, np.uint64)
    np.minimum.at(least, groups, ids)
    tossed = [blake2b(f"{salt}:{key:016x}".encode(), digest_size=1).digest()[0] % 2 == 1 for key in least.tolist()]
    comes = np.array(tossed, bool)[groups]
    moves = np.bincount(groups, minlength=count)[groups] <= LARGEST
    is_own = np.arange(len(ids)) < len(own[0])
    return np.sort(ids[moves & is_own & ~comes]), np.sort(ids[moves & ~is_own & comes])


def _words(text: str) -> list[str]:
    words = sorted(set(words_of(text).split()))
    return words if len(words) <= MOST_WORDS else []
