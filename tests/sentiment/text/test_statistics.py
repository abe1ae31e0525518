from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.text.statistics import percentile, statistics


@given(
    values=st.lists(st.integers(1, 40) | st.integers(1, 10**6), min_size=1, max_size=50), percent=st.integers(0, 100)
)
def test_a_percentile_of_counted_values_is_that_of_the_values(values: list[int], percent: int) -> None:
    assert percentile(Counter(values), percent) == pytest.approx(np.percentile(values, percent), rel=1e-12)


def test_statistics_count_special_tokens_and_what_was_cut() -> None:
    assert statistics(Counter([3, 5, 5, 11]), unknown=6, max_length=5) == {
        "tokens": 24,
        "tokens_p50": 5.0,
        "tokens_p95": pytest.approx(10.1),
        "tokens_max": 11,
        "truncated_share": 0.25,
        "unknown_share": 0.25,
    }
