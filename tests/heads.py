"""A head for a tiny encoder that tells the toy reviews apart, without a training."""

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from sentiment.model.architecture import MeanPooledClassifier
    from sentiment.text.encoding import Padding


def fit_head(model: "MeanPooledClassifier", reviews: pa.Table, padding: "Padding") -> None:
    """Set the head to a logistic regression from the encoder's averages to the labels."""
    import torch
    from sklearn.linear_model import LogisticRegression

    batch = padding([{"input_ids": ids} for ids in reviews["input_ids"].to_pylist()])
    with torch.no_grad():
        features = model.eval().features(batch["input_ids"], batch["attention_mask"])
        probe = LogisticRegression(max_iter=10_000).fit(features.numpy(), reviews["label"].to_numpy())
        weight, bias = (torch.tensor(part / 2, dtype=torch.float32) for part in (probe.coef_, probe.intercept_))
        model.head.weight.copy_(torch.cat([-weight, weight]))
        model.head.bias.copy_(torch.cat([-bias, bias]))
