"""The bias that is fitted on sentences, in every family."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.model.architecture import MeanPooledClassifier
from sentiment.model.loading import load
from sentiment.model.prediction import predict
from sentiment.text.encoding import Padding, load_tokenizer
from sentiment.training.bias import check_bias, correct_bias, length_drift, matching_shift, typical_lengths
from sentiment.training.build import build
from sentiment.training.layers import output_layer
from tests.families import FAMILIES, Family

LOG_ODDS = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=40, unique=True)


@pytest.fixture(params=FAMILIES, ids=str)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


@pytest.fixture(params=["first", pytest.param("mean", marks=pytest.mark.slow)])
def made(
    request: pytest.FixtureRequest, family: Family, tmp_path: Path, params_with: Callable[..., Params]
) -> tuple[PreTrainedModel, Padding]:
    """Return a tiny classifier of the family, and its padding."""
    family.write(tmp_path / "pretrained", real=False)
    tokenizer = load_tokenizer(tmp_path / "pretrained")
    torch.manual_seed(1)
    train = params_with(train={"freeze": "none", "pooling": request.param}).train
    return build(tmp_path / "pretrained", tokenizer, train), Padding.of(tokenizer)


def logits_of(model: PreTrainedModel, texts: pa.Table, padding: Padding) -> np.ndarray:
    return predict(model, texts["input_ids"].to_pylist(), padding, batch_size=64, precision="fp32")


def test_as_many_texts_are_said_positive_as_are_labelled_so_and_a_loaded_model_says_the_same(
    family: Family, made: tuple[PreTrainedModel, Padding], tmp_path: Path, params_with: Callable[..., Params]
) -> None:
    model, padding = made
    rng = np.random.default_rng(0)
    ids = [rng.integers(5, 20, rng.integers(3, 12)).tolist() for _ in range(60)]
    texts = pa.table({"input_ids": ids, "label": pa.array([1] * 24 + [0] * 36, pa.int8())})
    if family.model_type == "gpt2" and not isinstance(model, MeanPooledClassifier):
        with pytest.raises(UserError, match=r"the classifier of gpt2 has no bias: take train\.pooling: mean, or"):
            check_bias(model, texts, texts, "sentences")
        return
    with torch.no_grad():
        output_layer(model).bias.copy_(torch.tensor([0.3, -0.6]))
    before = logits_of(model, texts, padding)

    shift = correct_bias(model, texts, padding, params_with(precision="fp32"))

    after = logits_of(model, texts, padding)
    np.testing.assert_allclose(after - before, np.tile([-shift / 2, shift / 2], (60, 1)), atol=1e-5)
    assert 23 <= (after[:, 1] > after[:, 0]).sum() <= 25
    model.save_pretrained(tmp_path / "saved")
    np.testing.assert_allclose(logits_of(load(tmp_path / "saved"), texts, padding), after, atol=1e-6)


@given(log_odds=LOG_ODDS, data=st.data())
def test_the_shift_brings_the_share_said_positive_to_that_of_the_labels_wherever_the_logits_lay(
    log_odds: list[float], data: st.DataObject
) -> None:
    labels = data.draw(st.lists(st.integers(0, 1), min_size=len(log_odds), max_size=len(log_odds)))
    logits = np.stack([np.zeros(len(log_odds)), log_odds], axis=1)

    shifted = np.array(log_odds) + matching_shift(labels, logits)

    # A text that lies on the threshold counts as either.
    assert (shifted > 1e-9).sum() <= sum(labels) <= (shifted >= -1e-9).sum() + 1


def texts_of(length: int, labels: list[int]) -> pa.Table:
    return pa.table({"input_ids": [[5] * length] * len(labels), "label": pa.array(labels, pa.int8())})


def test_a_drift_leaves_sentences_as_they_are_and_says_as_many_reviews_positive_as_are_labelled_so() -> None:
    labels = [0] * 12 + [1] * 8
    log_odds = np.random.default_rng(3).normal(size=20) - 2
    logits = np.stack([-log_odds / 2, log_odds / 2], axis=1)
    sentences, reviews = texts_of(10, labels), texts_of(40, labels)

    drift = length_drift(sentences, reviews, logits)

    assert drift.tokens == pytest.approx(10)
    assert drift.slope < 0
    np.testing.assert_allclose(drift.correct(logits, [10] * 20), logits)
    corrected = drift.correct(logits, [40] * 20)
    assert 7 <= (corrected[:, 1] > corrected[:, 0]).sum() <= 8


def test_a_typical_length_is_a_geometric_mean() -> None:
    mixed = pa.concat_tables([texts_of(20, [0]), texts_of(80, [1])])

    assert typical_lengths(texts_of(10, [0, 1]), mixed) == pytest.approx((10, 40))


def test_reviews_that_are_hardly_longer_than_their_sentences_are_refused() -> None:
    with pytest.raises(UserError, match="reviews have 19 tokens where their sentences have 10, less than twice"):
        typical_lengths(texts_of(10, [0, 1]), texts_of(19, [0, 1]))
