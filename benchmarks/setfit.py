"""SetFit's way to learn from few reviews: pairs through a sentence encoder, then a logistic regression on its averages.

Tunstall et al. 2022 (arXiv:2209.11055), with sentence-transformers' own trainer and the paper's settings.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from sklearn.linear_model import LogisticRegression

PAIRS = 20
"""Pairs of either kind for each review."""


def pairs_of(train: pd.DataFrame, seed: int) -> Dataset:
    """Pair each review (text, label) PAIRS times with one of its label, and PAIRS times with one of the other."""
    random = np.random.default_rng(seed)
    rows = []
    for text, label in zip(train.text, train.label, strict=True):
        for alike in (True, False):
            others = train.text[(train.label == label) == alike]
            rows += [(text, other, float(alike)) for other in random.choice(others, PAIRS)]
    return Dataset.from_pandas(pd.DataFrame(rows, columns=["one", "other", "label"]))


class SetFit:
    """A sentence encoder and a head, fitted to reviews (text, label)."""

    def __init__(self, encoder: Path, train: pd.DataFrame, *, max_length: int, seed: int) -> None:
        transformer = Transformer(str(encoder), max_seq_length=max_length)
        pooling = Pooling(transformer.get_embedding_dimension(), "mean")
        self.body = SentenceTransformer(modules=[transformer, pooling], device="cpu")
        with tempfile.TemporaryDirectory() as temporary:
            arguments = SentenceTransformerTrainingArguments(
                temporary,
                num_train_epochs=1,
                per_device_train_batch_size=16,
                learning_rate=2e-5,
                warmup_steps=0.1,
                seed=seed,
                save_strategy="no",
                report_to="none",
                use_cpu=True,
            )
            loss = CosineSimilarityLoss(self.body)
            SentenceTransformerTrainer(self.body, arguments, pairs_of(train, seed), loss=loss).train()
        self.head = LogisticRegression().fit(self.body.encode(train.text.tolist()), train.label)

    def score(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of positive, float64 [texts]."""
        return self.head.predict_proba(self.body.encode(list(texts)))[:, 1]
