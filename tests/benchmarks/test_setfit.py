"""SetFit in the comparison with few reviews: its pairs, and that it learns from them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.setfit import PAIRS, SetFit, pairs_of

REVIEWS = pd.DataFrame({"text": ["good", "great", "bad", "dull"], "label": [1, 1, 0, 0]})


def test_each_review_is_paired_as_often_with_its_own_label_as_with_the_other() -> None:
    pairs = pairs_of(REVIEWS, 1).to_pandas()
    labels = REVIEWS.set_index("text").label

    assert len(pairs) == 4 * 2 * PAIRS
    assert (pairs.one.value_counts() == 2 * PAIRS).all()
    assert ((labels[pairs.one].to_numpy() == labels[pairs.other].to_numpy()) == pairs.label).all()


def test_it_learns_from_few_reviews_and_gives_the_same_scores_again(pretrained: Path, toy_reviews: pa.Table) -> None:
    reviews = toy_reviews.to_pandas().head(8)
    scores = [SetFit(pretrained, reviews, max_length=32, seed=1).score(reviews.text.tolist()) for _ in range(2)]

    assert ((scores[0] >= 0.5) == reviews.label).mean() >= 0.5
    assert np.array_equal(*scores)
