from collections.abc import Callable

import pyarrow as pa

from sentiment.core.params import Params
from sentiment.evaluation.baseline import baseline


def test_it_learns_the_words_that_tell_reviews_apart(toy_reviews: pa.Table, params_with: Callable[..., Params]) -> None:
    labels = toy_reviews["label"].to_numpy()
    classifier = baseline(params_with().baseline).fit(toy_reviews["text"].to_pylist(), labels)
    assert classifier.score(["a brilliant plot", "very dull and boring"], [1, 0]) == 1.0


def test_pairs_of_words_count(params_with: Callable[..., Params]) -> None:
    # Only the order of two words tells these apart.
    texts, labels = ["not good but bad", "not bad but good"] * 4, [0, 1] * 4
    assert baseline(params_with().baseline).fit(texts, labels).score(texts, labels) == 1
