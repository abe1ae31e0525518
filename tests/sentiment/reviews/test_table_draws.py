import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.reviews.selection import cut, draw, require_both_labels, without


def frame(negatives: int, positives: int, first: int = 0) -> pd.DataFrame:
    """Surveyed reviews: so many of each label, with their numbers as ids."""
    count = negatives + positives
    labels = [int(number >= negatives) for number in range(count)]
    return pd.DataFrame({"id": np.arange(first, first + count, dtype=np.uint64), "label": labels})


@given(
    negatives=st.integers(0, 40),
    positives=st.integers(0, 40),
    share=st.floats(0, 1),
    salt=st.text(max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_draw_is_stratified_disjoint_from_its_rest_and_independent_of_row_order(
    negatives: int, positives: int, share: float, salt: str, seed: int
) -> None:
    reviews = frame(negatives, positives + (negatives == 0))
    size = round(len(reviews) * share)
    drawn = draw(reviews, size, salt)
    assert len(drawn) == size == drawn.id.nunique()
    assert abs(drawn.label.sum() - size * reviews.label.mean()) <= 0.5
    rest = without(reviews, drawn)
    assert set(rest.id).isdisjoint(drawn.id)
    assert len(rest) == len(reviews) - size
    shuffled = reviews.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(drawn, draw(shuffled, size, salt))


def test_other_reviews_do_not_move_a_review_in_the_queue() -> None:
    few = frame(50, 0)
    drawn = draw(pd.concat([few, frame(50, 0, 1000)], ignore_index=True), 40, "test")
    of_few = drawn[drawn.id.isin(few.id)]
    assert 0 < len(of_few) < 40
    assert draw(few, len(of_few), "test").id.tolist() == of_few.id.tolist()


def test_tables_put_together_with_their_row_numbers_are_drawn_from_as_any_other() -> None:
    together = pd.concat([frame(60, 0), frame(0, 60, 1000)])
    drawn = draw(together, 20, "train")
    assert (len(drawn), drawn.id.nunique(), drawn.label.sum()) == (20, 20, 10)
    pd.testing.assert_frame_equal(drawn, draw(together.reset_index(drop=True), 20, "train"))


def test_nothing_is_drawn_from_nothing() -> None:
    assert len(draw(frame(0, 0), 0, "validation")) == 0


def test_another_salt_draws_other_reviews() -> None:
    reviews = frame(50, 50)
    assert set(draw(reviews, 50, "train 1").id) != set(draw(reviews, 50, "train 2").id)


def test_no_size_keeps_all_and_too_many_are_refused_with_the_parameter() -> None:
    reviews = frame(60, 60)
    assert cut(reviews, None, "test", "subsample.test_size") is reviews
    assert len(cut(reviews, 100, "test", "subsample.test_size")) == 100
    sentence = "params.yaml: subsample.test_size is 121, but only 120 reviews are left to draw from"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}"):
        cut(reviews, 121, "test", "subsample.test_size")


@pytest.mark.parametrize(("counts", "found"), [((9, 1), "1 positive"), ((0, 9), "0 negative"), ((9, 0), "0 positive")])
def test_one_class_only_is_refused_with_the_remedy(counts: tuple[int, int], found: str) -> None:
    count, name = found.split()
    sentence = f"a.parquet needs at least 2 {name} reviews, but has {count}: give others"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        require_both_labels(frame(*counts), "a.parquet", "give others")


def test_two_of_each_label_are_enough() -> None:
    require_both_labels(frame(2, 2), "a.parquet", "give others")
