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

from sentiment.bias import correct_bias, matching_shift, output_bias
from sentiment.classifier import MeanPooledClassifier, build, load, predict
from sentiment.encoding import Padding, load_tokenizer
from sentiment.errors import UserError
from sentiment.params import Params
from tests.families import FAMILIES, Family

LOG_ODDS = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=40, unique=True)


@pytest.fixture(params=FAMILIES, ids=str)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param


@pytest.fixture(params=["mean", "first"])
def made(
    request: pytest.FixtureRequest, family: Family, tmp_path: Path, params_with: Callable[..., Params]
) -> tuple[PreTrainedModel, Padding]:
    """Return a tiny classifier of the family, and its padding."""
    family.write(tmp_path / "pretrained", real=False)
    tokenizer = load_tokenizer(tmp_path / "pretrained")
    torch.manual_seed(1)
    train = params_with(train={"head": "random", "freeze": "none", "pooling": request.param}).train
    return build(tmp_path / "pretrained", tokenizer, train), Padding.of(tokenizer)


def logits_of(model: PreTrainedModel, texts: pa.Table, padding: Padding) -> np.ndarray:
    return predict(model, texts["input_ids"].to_pylist(), padding, batch_size=64, precision="fp32")


def test_as_many_texts_are_said_positive_as_are_labelled_so_and_a_loaded_model_says_the_same(
    family: Family, made: tuple[PreTrainedModel, Padding], tmp_path: Path
) -> None:
    model, padding = made
    rng = np.random.default_rng(0)
    ids = [rng.integers(5, 20, rng.integers(3, 12)).tolist() for _ in range(60)]
    texts = pa.table({"input_ids": ids, "label": pa.array([1] * 24 + [0] * 36, pa.int8())})
    if family.model_type == "gpt2" and not isinstance(model, MeanPooledClassifier):
        with pytest.raises(UserError, match=r"the classifier of gpt2 has no bias: take train\.pooling: mean, or"):
            output_bias(model)
        return
    with torch.no_grad():
        output_bias(model).copy_(torch.tensor([0.3, -0.6]))
    before = logits_of(model, texts, padding)

    shift = correct_bias(model, texts, padding, "fp32")

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
