"""Known truths about real datasets: what repeats, contradicts and leaks in them must be found, no more and no less."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sentiment.core.params import Cleaning
from sentiment.core.parquet import read_parquet
from sentiment.reviews.leaks import CONTAINED, EXACT, NEAR, NONE, Leaks
from sentiment.reviews.selection import Survey, survey
from sentiment.reviews.table import read_reviews

ROOT = Path(__file__).resolve().parents[3]
REAL_REVIEWS = Path(os.environ.get("REAL_REVIEWS", ROOT.parent / "shared" / "data"))
AS_THEY_ARE = Cleaning(html_breaks=False)


def file(name: str) -> Path:
    """Return a real dataset's file; skip where it is not at hand, but not in CI."""
    path = REAL_REVIEWS / f"{name}.parquet"
    if not path.is_file():
        assert os.environ.get("CI") != "true", f"{path} is missing"
        pytest.skip(f"{path} is not on this machine")
    return path


@cache
def surveyed(name: str) -> Survey:
    return survey(read_reviews(file(name)), AS_THEY_ARE)


def texts(name: str) -> list[str]:
    return read_parquet(file(name), ["text"])["text"].to_pylist()


def letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


@pytest.mark.parametrize(
    ("name", "duplicate", "contradictory"),
    [("imdb-train", 96, 0), ("imdb-test", 199, 0), ("sst2-train", 371 - 5, 2 * 5)],
)
def test_the_known_duplicates_and_contradictions_are_counted(name: str, duplicate: int, contradictory: int) -> None:
    """Of the 371 texts that sst2-train repeats 5 have both labels."""
    counts = surveyed(name).counts

    assert (counts["duplicate"], counts["contradictory"]) == (duplicate, contradictory)


def test_the_known_duplicates_over_both_splits_of_imdb_are_found() -> None:
    train, test = surveyed("imdb-train"), surveyed("imdb-test")

    assert len(np.intersect1d(train.usable.id, test.usable.id)) == 123
    assert len(np.unique(np.append(train.ids, test.ids))) == 50_000 - 418


def test_the_known_duplicates_and_contradictions_of_the_tweets_are_counted() -> None:
    """160 tweets repeat one to the letter, and 16 more but for case and blanks; 4 pairs have both labels."""
    own = texts("twitter-us-airline")
    counts = surveyed("twitter-us-airline").counts

    assert len(own) - len(set(own)) == 160
    assert (counts["duplicate"], counts["contradictory"]) == (160 + 16 - 4, 2 * 4)


@pytest.mark.slow
@pytest.mark.parametrize(("split", "sentences", "originals"), [("imdb-test", 889, 1), ("imdb-train", 16, 488)])
def test_the_known_reviews_of_imdb_are_found_in_the_datasets_that_were_made_from_it(
    split: str, sentences: int, originals: int
) -> None:
    """uci-imdb was cut out of IMDB; the counterfactual originals are training reviews, one of which is in test too."""
    uci, counterfactual = texts("uci-imdb"), texts("imdb-cad-original-test")
    assert sum(letters(text) >= 20 for text in uci) == 896
    found = Leaks([*uci, *counterfactual], 0.5)
    for table in read_reviews(file(split)):
        found.find(table["text"].to_pylist())

    assert np.bincount(found.kinds[: len(uci)], minlength=4).tolist() == [0, sentences, 0, 1000 - sentences]
    assert (found.kinds[len(uci) :] == EXACT).sum() == originals


def test_most_reviews_that_were_rewritten_to_mean_the_opposite_are_found_near_their_originals() -> None:
    """Of 488, one was left as it was and one only lengthened; of 38, more than half of the word pairs changed."""
    found = Leaks(texts("imdb-cad-revised-test"), 0.5)
    kinds = found.find(texts("imdb-cad-original-test"))

    for side in (kinds, found.kinds):
        assert [(side == kind).sum() for kind in (EXACT, CONTAINED, NEAR, NONE)] == [1, 1, 448, 38]


def test_the_known_sentences_that_two_datasets_share_are_found() -> None:
    """The two spell and space them in different ways. Only those of 15 letters or more were counted."""
    sentences = [text for text in texts("sst2-dev") if letters(text) >= 15]
    found = Leaks(sentences, 0.5)
    found.find(texts("rotten-tomatoes-mr"))

    assert len(sentences) == 861
    assert (found.kinds == EXACT).sum() == 690
