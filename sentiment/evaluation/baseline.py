"""What a user could take instead of a fine-tuned transformer: the strongest of several cheap classifiers of texts.

Each turns texts into features, over which it learns a logistic regression. Which of them is the strongest, and with
what penalty, is chosen by reviews that none of them learnt from.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from sentiment.core.errors import UserError, reason
from sentiment.core.params import Params
from sentiment.evaluation.encoder_averages import EncoderAverages
from sentiment.evaluation.naive_bayes import InterpolatedRegression, NaiveBayesNgrams
from sentiment.metrics import as_written, evaluate

SEEN_FOR_FEATURES = 100_000
"""Reviews that a vocabulary is learnt from, at most: that of millions would hold hundreds of millions of n-grams."""
ENCODED = 10_000
"""Reviews that are encoded to learn from, at most: it takes most of the time, and few weights are learnt."""


class Labelled(NamedTuple):
    """Texts and their labels, 0 or 1."""

    texts: Sequence[str]
    labels: NDArray[np.integer]

    @classmethod
    def of(cls, reviews: pa.Table) -> Self:
        """Take the reviews (id, text, label) in the order of their ids, which are hashes: the first are a fair draw."""
        reviews = reviews.sort_by("id")
        return cls(reviews["text"].to_pylist(), reviews["label"].to_numpy())

    def first(self, most: int | None) -> "Labelled":
        return Labelled(self.texts[:most], self.labels[:most])


@dataclass(frozen=True)
class Rival:
    """How texts become features, the classifier over these for a value of C, and how many texts to learn from."""

    features: Callable[[Params], Any]
    classifier: Callable[..., LogisticRegression]
    most: int | None = None


RIVALS = {
    "TF-IDF": Rival(lambda _: TfidfVectorizer(ngram_range=(1, 2)), partial(LogisticRegression, max_iter=1000)),
    "NB n-grams": Rival(
        lambda _: NaiveBayesNgrams(),
        partial(InterpolatedRegression, solver="liblinear", dual=True, max_iter=1000, random_state=0),
    ),
    "encoder averages": Rival(EncoderAverages, partial(LogisticRegression, max_iter=1000), ENCODED),
}


@dataclass(frozen=True)
class Candidate:
    """A rival with a value of C, and how good it is on the validation reviews."""

    rival: str
    C: float
    accuracy: float
    log_loss: float

    def beats(self, other: "Candidate") -> bool:
        return (self.accuracy, -self.log_loss) > (other.accuracy, -other.log_loss)


class Strongest(NamedTuple):
    """The candidate that validated best, fitted, and all that were tried."""

    classifier: Pipeline
    chosen: Candidate
    candidates: list[Candidate]

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of positive, float64 [texts]."""
        return self.classifier.predict_proba(texts)[:, 1]

    def described(self) -> dict[str, Any]:
        """Return what metrics keep of the choice."""
        candidates = [asdict(candidate) for candidate in self.candidates]
        return {"rival": self.chosen.rival, "C": self.chosen.C, "candidates": candidates}


def strongest(train: Labelled, validation: Labelled, params: Params) -> Strongest:
    """Fit each of params.baseline.rivals with each C; choose by accuracy on the validation reviews, then by log loss.

    Raises UserError where the reviews hold nothing that a rival could learn from.
    """
    best: tuple[Pipeline, Candidate] | None = None
    candidates = []
    for name in params.baseline.rivals:
        features, seen, labels = _featured(name, train, params)
        unseen = features.transform(validation.texts)
        for penalty in params.baseline.C:
            classifier = RIVALS[name].classifier(C=penalty).fit(seen, labels)
            figures = evaluate(validation.labels, as_written(classifier.predict_proba(unseen)[:, 1]))
            candidate = Candidate(name, penalty, figures["accuracy"], figures["log_loss"])
            candidates.append(candidate)
            if best is None or candidate.beats(best[1]):
                best = make_pipeline(features, classifier), candidate
    assert best is not None
    return Strongest(*best, candidates)


def refit(rival: str, penalty: float, train: Labelled, params: Params) -> Pipeline:
    """Fit a candidate again, to the same bits as when it was chosen."""
    features, seen, labels = _featured(rival, train, params)
    return make_pipeline(features, RIVALS[rival].classifier(C=penalty).fit(seen, labels))


def _featured(name: str, train: Labelled, params: Params) -> tuple[Any, Any, NDArray[np.integer]]:
    """Return a rival's fitted features, those of the reviews that it learns from, and their labels."""
    train = train.first(RIVALS[name].most)
    features = RIVALS[name].features(params)
    try:
        features.fit(*train.first(SEEN_FOR_FEATURES))
    except ValueError as error:
        raise UserError(
            f"{name} can't be fitted to the training reviews: {reason(error)}; give more reviews, made of words, or "
            "take it out of baseline.rivals in params.yaml"
        ) from None
    return features, features.transform(train.texts), train.labels
