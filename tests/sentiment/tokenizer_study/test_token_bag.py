"""The small classifier, and the intervals of what it gets right."""

import numpy as np
import pytest

from sentiment.tokenizer_study.token_bag import accuracy, difference, train_and_test

TRAIN = [[1, 5 + i % 2, 7 + i % 5, 2] for i in range(64)]
LABELS = [i % 2 for i in range(64)]


def test_it_learns_to_tell_reviews_by_a_token() -> None:
    found = train_and_test(TRAIN, LABELS, [[7, 5], [6], [8, 9, 6, 7]], [0, 1, 1], [0, 1, 2])

    assert found.shape == (3, 3)
    assert found.all()


def test_tokens_that_no_training_review_holds_change_nothing() -> None:
    plain, strewn = ([[7, 5], [6, 8]], [[7, 99, 5, 0], [3, 6, 8, 100]])

    expected, found = (train_and_test(TRAIN, LABELS, reviews, [0, 0], [0]) for reviews in (plain, strewn))
    assert (found == expected).all()


def test_a_review_of_unknown_tokens_only_is_still_labelled() -> None:
    assert train_and_test(TRAIN, LABELS, [[99], [6]], [0, 1], [0]).shape == (1, 2)


def test_the_same_seed_gives_the_same_verdicts_and_another_may_not() -> None:
    noise = np.random.default_rng(0).integers(10, 400, (64, 6)).tolist()
    labels = np.random.default_rng(1).integers(0, 2, 400)
    unseen = np.random.default_rng(2).integers(10, 400, (400, 3)).tolist()
    once, again = (train_and_test(noise, LABELS, unseen, labels, [0, 1]) for _ in range(2))

    assert (once == again).all()
    assert (once[0] != once[1]).any()


def test_the_interval_is_that_of_one_training_on_as_many_reviews() -> None:
    alternating = np.array([[True, True, True, False], [True, True, True, True]])
    found = accuracy(alternating)

    assert found["accuracy"] == 0.875
    assert found["accuracy_sd"] == pytest.approx(0.25 / np.sqrt(2))
    assert found["n"] == 4
    single = accuracy(alternating[:1])
    assert "accuracy_sd" not in single
    assert single["accuracy_low"] < found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]


def test_a_difference_is_paired() -> None:
    half = np.tile([True, False], (2, 100))
    better = half.copy()
    better[:, 1:20:2] = True

    assert difference(half, half) == {"difference": 0, "difference_low": 0, "difference_high": 0}
    found = difference(better, half)
    assert found["difference"] == 0.05
    assert 0 < found["difference_low"] < 0.05 < found["difference_high"] < 0.1
