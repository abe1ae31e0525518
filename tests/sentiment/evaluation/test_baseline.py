"""The cheap rivals: what each learns, which of them is chosen, and that the choice is the same every time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.evaluation import baseline
from sentiment.evaluation.baseline import RIVALS, Candidate, Labelled, Strongest, refit, strongest

NAMES = list(RIVALS)
UNSEEN = Labelled(
    ["a brilliant plot", "very dull and boring", "its cast was fine", "a poor book"], np.array([1, 0, 1, 0])
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside a pretrained encoder."""
    shutil.copytree(pretrained, tmp_path / "models/pretrained")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def reviews(toy_reviews: pa.Table) -> pa.Table:
    return toy_reviews.append_column("id", pa.array([f"{row * 37 % 64:02}" for row in range(64)]))


@pytest.fixture
def choose(params_with: Callable[..., Params]) -> Callable[..., Strongest]:
    def call(train: Labelled, rivals: list[str] = NAMES, penalties: tuple[float, ...] = (1, 10)) -> Strongest:
        params = params_with(baseline={"rivals": rivals, "C": list(penalties)}, tokenize={"max_length": 32}, threads=1)
        return strongest(train, UNSEEN, params)

    return call


@pytest.mark.parametrize("name", ["TF-IDF", "NB n-grams"])
def test_the_words_that_tell_reviews_apart_are_learnt(
    name: str, reviews: pa.Table, choose: Callable[..., Strongest]
) -> None:
    assert choose(Labelled.of(reviews), [name]).chosen.accuracy == 1


@pytest.mark.parametrize("name", ["TF-IDF", "NB n-grams"])
def test_the_order_of_words_counts(name: str, params_with: Callable[..., Params]) -> None:
    texts, labels = ["not good but bad", "not bad but good"] * 4, np.array([0, 1] * 4)

    assert refit(name, 10, Labelled(texts, labels), params_with()).score(texts, labels) == 1


def test_the_choice_falls_on_the_best_of_all_rivals_and_penalties(
    reviews: pa.Table, choose: Callable[..., Strongest]
) -> None:
    found = choose(Labelled.of(reviews))
    tried = [(candidate.rival, candidate.C) for candidate in found.candidates]

    assert tried == [(name, C) for name in NAMES for C in (1, 10)]
    assert not any(candidate.beats(found.chosen) for candidate in found.candidates)
    assert found.classifier.score(*UNSEEN) == found.chosen.accuracy


def test_accuracy_decides_and_log_loss_between_equals() -> None:
    one = Candidate("TF-IDF", 1, accuracy=0.9, log_loss=0.3)

    assert Candidate("NB n-grams", 1, accuracy=0.91, log_loss=0.5).beats(one)
    assert Candidate("NB n-grams", 1, accuracy=0.9, log_loss=0.2).beats(one)
    assert not Candidate("NB n-grams", 1, accuracy=0.9, log_loss=0.3).beats(one)
    assert not Candidate("NB n-grams", 1, accuracy=0.89, log_loss=0.1).beats(one)


def test_what_the_metrics_keep_names_the_rival_and_every_candidate(
    reviews: pa.Table, choose: Callable[..., Strongest]
) -> None:
    kept = choose(Labelled.of(reviews), ["TF-IDF"], (3,)).described()

    assert (kept["rival"], kept["C"]) == ("TF-IDF", 3)
    assert [candidate.keys() for candidate in kept["candidates"]] == [{"rival", "C", "accuracy", "log_loss"}]


@pytest.mark.parametrize("name", NAMES)
def test_a_second_fit_gives_the_same_bits(
    name: str, reviews: pa.Table, choose: Callable[..., Strongest], params_with: Callable[..., Params]
) -> None:
    train = Labelled.of(reviews)
    found = choose(train, [name])
    again = refit(name, found.chosen.C, train, params_with(tokenize={"max_length": 32}, threads=1))

    scores = found.classifier.predict_proba(UNSEEN.texts)
    assert scores.tobytes() == again.predict_proba(UNSEEN.texts).tobytes()


def test_the_order_of_the_reviews_changes_nothing(reviews: pa.Table, choose: Callable[..., Strongest]) -> None:
    order = np.random.default_rng(0).permutation(len(reviews))
    found, other = (choose(Labelled.of(table)) for table in (reviews, reviews.take(order)))

    assert found.candidates == other.candidates
    assert (
        found.classifier.predict_proba(UNSEEN.texts).tobytes() == other.classifier.predict_proba(UNSEEN.texts).tobytes()
    )


def test_the_encoder_makes_features_without_having_read_a_label(
    reviews: pa.Table, choose: Callable[..., Strongest]
) -> None:
    train = Labelled.of(reviews)
    features = [
        choose(Labelled(train.texts, labels), ["encoder averages"]).classifier[0]
        for labels in (train.labels, 1 - train.labels)
    ]
    one, other = (part.transform(UNSEEN.texts) for part in features)

    assert one.shape == (4, 16)
    assert (one == other).all()


def test_vocabularies_and_encodings_stay_bounded(
    reviews: pa.Table, choose: Callable[..., Strongest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "SEEN_FOR_FEATURES", 32)
    bounded = choose(Labelled.of(reviews), ["NB n-grams"]).classifier[0]
    train = Labelled.of(reviews)

    assert len(bounded.counter_.vocabulary_) == len(
        baseline.NaiveBayesNgrams().fit(train.texts[:32], train.labels[:32]).counter_.vocabulary_
    )
    assert RIVALS["encoder averages"].most == baseline.ENCODED


@pytest.mark.parametrize(
    ("name", "texts", "said"),
    [("TF-IDF", ["🙂🙂", "🙁"], "empty vocabulary"), ("NB n-grams", ["good", "bad"], "After pruning, no terms remain")],
)
def test_reviews_without_an_n_gram_are_refused_in_one_sentence(
    name: str, texts: list[str], said: str, choose: Callable[..., Strongest]
) -> None:
    with pytest.raises(
        UserError, match=rf"^{name} can't be fitted to the training reviews: {said}.*; give more.*rivals"
    ):
        choose(Labelled(texts, np.array([1, 0])), [name])
