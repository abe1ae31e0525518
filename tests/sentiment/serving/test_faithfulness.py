import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.params import Export
from sentiment.serving.faithfulness import find_fault

LIMITS = Export(accuracy_change=0.5, agreement=0.99)


def figures(n: int, gained: int, lost: int) -> dict[str, Any]:
    """Return the figures of n reviews, of which the exported model labels some rightly, and some wrongly, alone."""
    right = n - gained
    return {
        "accuracy_fp32": right / n,
        "accuracy_int8": (right + gained - lost) / n,
        "agreement": 1 - (gained + lost) / n,
        "n": n,
    }


sizes = st.integers(1, 100_000)


@given(sizes)
def test_a_lossless_export_has_no_fault_whatever_the_number_of_reviews(n: int) -> None:
    assert find_fault(figures(n, 0, 0), LIMITS) is None


@given(sizes, st.booleans())
def test_one_flipped_review_never_fails_an_export(n: int, up: bool) -> None:
    fault = find_fault(figures(n, int(up), int(not up)), LIMITS)

    assert fault is None or not fault.certain
    # Of 200 reviews one is half a point, and half of what the agreement allows.
    assert (fault is None) == (n >= 200)


@given(st.integers(2, 20_000), st.floats(0, 1), st.floats(0, 1))
def test_what_is_within_both_limits_is_no_fault_and_what_is_beyond_one_is(n: int, share: float, up: float) -> None:
    flipped = round(n * share)
    gained = round(flipped * up)
    found = figures(n, gained, flipped - gained)
    change = abs(2 * gained - flipped) / n
    beyond = change > 0.005 + 1e-9 or flipped / n > 0.01 + 1e-9

    assert (find_fault(found, LIMITS) is not None) == beyond


@given(st.integers(20, 20_000), st.integers(0, 500))
def test_more_flipped_reviews_never_make_an_export_look_more_faithful(n: int, lost: int) -> None:
    def rank(lost: int) -> int:
        fault = find_fault(figures(n, 0, min(lost, n)), LIMITS)
        return 0 if fault is None else 1 + fault.certain

    assert rank(lost) <= rank(lost + 1)


@given(st.floats(0.011, 1), st.integers(5, 100_000))
def test_a_share_of_flips_beyond_the_limit_fails_once_there_are_enough_reviews(share: float, n: int) -> None:
    # The excess over the limit is 2.6 standard errors or more, where the limit's own share is enough to have them.
    flipped = round(n * share)
    excess = flipped - 0.01 * n
    if excess > 4 * (0.01 * 0.99 * n) ** 0.5 + 4:
        fault = find_fault(figures(n, flipped // 2, flipped - flipped // 2), LIMITS)
        assert fault is not None
        assert fault.certain


@pytest.mark.parametrize(
    ("n", "gained", "lost", "certain", "sentence"),
    [
        (100, 0, 1, False, r"on the 100 test reviews by 1\.00 points \(98% interval -2\.\d+ to 4\.\d+\), from 1\.0000"),
        (100, 1, 1, False, r"agree with the original on 98\.00% of the 100 test reviews, but params\.yaml asks for"),
        (100, 0, 8, True, r"by 8\.00 points"),
        (100, 3, 3, True, r"agree with the original on 94\.00%"),
        (25_000, 0, 150, False, r"by 0\.60 points"),
        (25_000, 0, 200, True, r"by 0\.80 points .*, but params\.yaml allows export\.accuracy_change 0\.5"),
        (25_000, 150, 150, True, r"export\.agreement 0\.99, which leaves so many flipped reviews or more a chance of"),
    ],
)
def test_a_fault_is_described_in_one_sentence_and_as_sure_as_the_reviews_make_it(
    n: int, gained: int, lost: int, certain: bool, sentence: str
) -> None:
    fault = find_fault(figures(n, gained, lost), LIMITS)

    assert fault is not None
    assert fault.certain == certain
    assert re.search(sentence, fault.sentence)
    assert "\n" not in fault.sentence
