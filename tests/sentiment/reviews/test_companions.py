import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sentiment.reviews.companions import LARGEST, MOST_WORDS, companions, exchange

WORDS = st.lists(st.sampled_from(["never", "dull", "fine", "cast", "plot", "slow", "bad"]), min_size=1, max_size=9)


def alike(one: str, other: str) -> float:
    ours, theirs = (set(re.findall(r"\w+", text.casefold())) for text in (one, other))
    return len(ours & theirs) / len(ours | theirs)


def test_minimal_pairs_are_companions_and_other_reviews_are_not() -> None:
    ours = ["She can sing, and it's a musical, so that's me happy.", "Dull."]
    batches = [["A fine film."], ["She can't sing, and it's a musical, so that's me unhappy!", "dull, dull"]]
    assert companions(ours, batches).tolist() == [[0, 1], [1, 2]]


def test_long_reviews_have_no_companions() -> None:
    words = [f"word{number}" for number in range(MOST_WORDS + 1)]
    assert companions([" ".join(words)], [[" ".join(words)]]).tolist() == []
    assert companions([" ".join(words[1:])], [[" ".join(words[1:])]]).tolist() == [[0, 0]]


@given(ours=st.lists(WORDS, max_size=12), others=st.lists(WORDS, max_size=12))
def test_all_companions_are_alike_and_nearly_all_that_are_very_much_so_are_found(
    ours: list[list[str]], others: list[list[str]]
) -> None:
    texts, batch = ([" ".join(words) for words in listed] for listed in (ours, others))
    found = {(own, other) for own, other in companions(texts, [batch]).tolist()}
    assert all(alike(texts[own], batch[other]) >= 0.5 for own, other in found)
    # At 0.7 MinHash misses one pair in 40 million.
    pairs = {(i, j) for i in range(len(texts)) for j in range(len(batch)) if alike(texts[i], batch[j]) >= 0.7}
    assert {(own, other) for own, other in pairs if sum(i == own for i, _ in found) <= LARGEST} <= found


@given(
    pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=LARGEST - 1, unique=True),
    salt=st.text(max_size=3),
)
def test_no_companions_of_a_small_group_are_parted_and_no_others_change_sides(
    pairs: list[tuple[int, int]], salt: str
) -> None:
    ours, others = np.arange(10, dtype=np.uint64), np.arange(100, 110, dtype=np.uint64)
    leave, join = exchange(np.array(pairs, np.int64).reshape(-1, 2), ours, others, salt)
    ours_after = (set(ours.tolist()) - set(leave.tolist())) | set(join.tolist())
    for own, other in pairs:
        assert (int(ours[own]) in ours_after) == (int(others[other]) in ours_after)
    paired = {own for own, _ in pairs} | {100 + other for _, other in pairs}
    assert set(leave.tolist()) | set(join.tolist()) <= paired


def test_a_coin_decides_so_that_either_side_keeps_its_size() -> None:
    count = 2000
    pairs = np.stack([np.arange(count), np.arange(count)], axis=1)
    leave, join = exchange(pairs, np.arange(count, dtype=np.uint64), np.arange(count, 2 * count, dtype=np.uint64), "a")
    assert len(leave) + len(join) == count
    assert abs(len(leave) - count / 2) < 100


def test_reviews_that_follow_a_template_stay_where_they_are() -> None:
    texts = [f"review {number} was bad" for number in range(40)]
    pairs = companions(texts[:10], [texts[10:]])
    leave, join = exchange(pairs, np.arange(10, dtype=np.uint64), np.arange(10, 40, dtype=np.uint64), "a")
    assert len(pairs) == 10 * (LARGEST + 1)
    assert len(leave) == len(join) == 0
