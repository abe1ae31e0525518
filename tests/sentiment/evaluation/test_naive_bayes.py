"""N-grams weighted by naive Bayes: the weights, what counts as an n-gram, and how far the classifier trusts itself."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from sentiment.evaluation import naive_bayes
from sentiment.evaluation.naive_bayes import InterpolatedRegression, NaiveBayesNgrams, log_count_ratios

TEXTS = ["good film", "good plot", "bad film", "bad plot"]
LABELS = np.array([1, 1, 0, 0])


def test_the_weights_of_four_tiny_reviews_are_those_of_a_hand_computation() -> None:
    features = NaiveBayesNgrams().fit(TEXTS, LABELS)
    weights = dict(zip(features.counter_.get_feature_names_out(), features.ratios_.tolist(), strict=True))

    # No pair is in two of them. In the positive ones, with one more for each: bad 1, film 2, good 3, plot 2, of 8
    # together; in the negative ones bad 3, film 2, good 1, plot 2.
    expected = {"bad": np.log((1 / 8) / (3 / 8)), "film": 0, "good": np.log((3 / 8) / (1 / 8)), "plot": 0}
    assert weights == pytest.approx(expected)


def test_labels_of_unlike_totals_are_compared_by_shares() -> None:
    counts = csr_matrix(np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1]], np.float32))

    # positive: 3, 3, 2 of 8; negative: 1, 1, 2 of 4
    expected = np.log([(3 / 8) / (1 / 4), (3 / 8) / (1 / 4), (2 / 8) / (2 / 4)])
    assert log_count_ratios(counts, [1, 1, 0]) == pytest.approx(expected)


def test_a_review_holds_the_weight_of_each_of_its_n_grams_once() -> None:
    features = NaiveBayesNgrams().fit(TEXTS, LABELS)
    once, often = features.transform(["good", "good good good and unknown"]).toarray()

    assert (once == often).all()
    assert once.sum() == pytest.approx(np.log(3))


def test_words_pairs_triples_and_signs_count_from_two_reviews_on() -> None:
    texts = ["Not a bad film!", "not a bad film 👍", "A rare word"]
    found = NaiveBayesNgrams().fit(texts, np.array([1, 1, 0])).counter_.get_feature_names_out()

    assert {"not a bad", "bad film", "a"} <= set(found)
    assert not {"!", "👍", "rare", "not a bad film"} & set(found)
    assert "!" in NaiveBayesNgrams().fit(["Good!", "Bad!"], np.array([1, 0])).counter_.vocabulary_


def test_the_interpolation_draws_weights_towards_their_mean_magnitude_and_keeps_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = NaiveBayesNgrams().fit(TEXTS, LABELS).transform(TEXTS)
    plain = LogisticRegression().fit(features, LABELS).coef_
    size = np.abs(plain).mean()
    for kept in (0, 0.25, 1):
        monkeypatch.setattr(naive_bayes, "INTERPOLATION", kept)
        found = InterpolatedRegression().fit(features, LABELS).coef_
        assert found == pytest.approx((1 - kept) * size + kept * plain)
