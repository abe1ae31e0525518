import numpy as np
import pytest

from app.explanation import MOST, READINGS, explain, segments, variations


def _scores(log_odds: np.ndarray) -> list[float]:
    return (1 / (1 + np.exp(-log_odds))).tolist()


@pytest.mark.parametrize("pieces", [1, 2, 7, 48, 49, MOST])
def test_the_first_reading_is_of_the_whole_text_and_each_piece_is_left_out_of_as_many_others(pieces: int) -> None:
    kept = variations(pieces)

    assert kept.shape[1] == pieces
    assert len(kept) <= READINGS
    assert kept[0].all()
    assert len(set((~kept).sum(0))) == 1
    assert (~kept).any(0).all()
    assert (kept == variations(pieces)).all()


def test_a_long_text_is_read_less_often() -> None:
    assert len(variations(MOST)) < len(variations(10)) == READINGS


def test_a_long_text_is_weighed_in_groups_of_whole_words() -> None:
    text = "one two " * MOST
    cut = segments(text)

    assert len(cut) == MOST
    assert {text[piece] for piece in cut} == {"one two "}


@pytest.mark.parametrize("pieces", [12, 40, MOST])
def test_the_words_that_change_the_verdict_get_the_weight_and_all_others_none(pieces: int) -> None:
    effects = np.zeros(pieces)
    effects[3], effects[7] = 4, -3
    kept = variations(pieces)
    noise = np.random.default_rng(1).normal(0, 0.1, len(kept))
    weights = explain(["word"] * kept.shape[1], kept, _scores(kept @ effects + noise))

    # Less than the effects, by the margin for chance.
    assert 2 < weights[3] < 4
    assert -3 < weights[7] < -1
    assert [weight for place, weight in enumerate(weights) if place not in {3, 7}] == [0] * (pieces - 2)


def test_words_that_matter_only_together_share_the_weight() -> None:
    # Praise if both are there, as in "not bad"; without either of them, nothing.
    kept = variations(8)
    weights = explain(["word"] * kept.shape[1], kept, _scores(3.0 * (kept[:, 2] & kept[:, 3]) - 1))

    assert min(weights[2:4]) > 1
    assert max(map(abs, weights[:2] + weights[4:])) < 0.2


def test_a_text_that_scores_the_same_whatever_is_left_out_has_no_weights() -> None:
    kept = variations(5)

    assert explain(["word"] * kept.shape[1], kept, [0.7] * len(kept)) == [0.0] * 5


def test_scores_of_zero_and_one_have_weights_too() -> None:
    kept = variations(1)
    (weight,) = explain(["word"] * kept.shape[1], kept, kept[:, 0].astype(float).tolist())

    assert 0 < weight < 30


def test_joining_words_have_no_weight_but_those_that_negate_have() -> None:
    pieces = ["Pretty, ", "but ", "it ", "did ", "not ", "work ", "without ", "(the) ", "battery. ", "and a dull "]
    kept = variations(len(pieces))

    weights = explain(pieces, kept, _scores(kept.sum(1) - len(pieces) / 2))

    weighed = [piece.strip() for piece, weight in zip(pieces, weights, strict=True) if weight]
    assert set(weighed) <= {"Pretty,", "not", "work", "without", "battery.", "and a dull"}
    assert weighed


def test_where_a_joining_word_outweighs_all_others_the_strongest_of_these_is_shown() -> None:
    pieces = ["Slow", "but", "charming"]
    kept = variations(3)

    weights = explain(pieces, kept, _scores(3.0 * kept[:, 1] + 0.6 * kept[:, 2] - 1))

    assert weights[0] == weights[1] == 0
    assert weights[2] > 0
