from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from sentiment.classifier import fit_head, predict
from sentiment.encoding import Padding, load_tokenizer
from sentiment.errors import UserError
from sentiment.metrics import scores_of
from sentiment.params import Evaluate, Params
from sentiment.scoring import score, score_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FP32 = Evaluate(batch_size=5, precision="fp32")


@pytest.fixture
def trained(
    build_with: "Callable[..., PreTrainedModel]", pretrained: Path, encoded: pa.Table, padding: Padding, tmp_path: Path
) -> Path:
    """A folder as `train` leaves it, as far as scoring reads it."""
    model = build_with(pooling="mean")
    fit_head(model, encoded, padding, "fp32")
    model.save_pretrained(tmp_path)
    load_tokenizer(pretrained).save_pretrained(tmp_path)
    return tmp_path


def test_scores_are_those_of_the_models_logits_whatever_the_batch_size(
    trained: Path, build_with: "Callable[..., PreTrainedModel]", encoded: pa.Table, padding: Padding
) -> None:
    model = build_with(pooling="mean")
    fit_head(model, encoded, padding, "fp32")
    ids = encoded["input_ids"].to_pylist()
    expected = scores_of(predict(model, ids, padding, batch_size=64, precision="fp32"))
    np.testing.assert_allclose(score(trained, ids, FP32), expected, atol=1e-5)
    assert np.ptp(expected) > 0.05


def test_texts_are_encoded_as_in_training(
    trained: Path, toy_reviews: pa.Table, encoded: pa.Table, params_with: Callable[..., Params]
) -> None:
    texts, ids = toy_reviews["text"].to_pylist(), encoded["input_ids"].to_pylist()
    tokenize = params_with(tokenize={"max_length": 64}).tokenize
    np.testing.assert_array_equal(score_texts(trained, texts, tokenize, FP32), score(trained, ids, FP32))
    tail = params_with(tokenize={"max_length": 8, "truncation": "tail"}).tokenize
    long = "the film was a plot " * 9 + "superb cast and its plot very good"
    short = "cast and its plot very good"
    np.testing.assert_allclose(*score_texts(trained, [long, short], tail, FP32), atol=1e-6)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no usable classifier"):
        score(tmp_path, [[1]], FP32)
