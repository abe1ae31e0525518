"""What a user would pick instead of a transformer: TF-IDF and a logistic regression."""

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from sentiment.core.params import Baseline


def baseline(params: Baseline) -> Pipeline:
    """Return an unfitted classifier of texts: TF-IDF over words and sequences of them, then a logistic regression."""
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=params.C, max_iter=1000))
