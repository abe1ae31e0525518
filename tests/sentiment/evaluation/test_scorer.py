from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import scores_of
from sentiment.model.prediction import predict
from sentiment.text.encoding import Padding
from tests.heads import fit_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel


@pytest.fixture
def params(params_with: "Callable[..., Params]") -> Params:
    return params_with(precision="fp32", evaluate={"batch_size": 5})


def test_scores_are_those_of_the_models_logits_whatever_the_batch_size(
    trained: Path, build_with: "Callable[..., PreTrainedModel]", encoded: pa.Table, padding: Padding, params: Params
) -> None:
    model = build_with(pooling="mean")
    fit_head(model, encoded, padding)
    ids = encoded["input_ids"].to_pylist()
    expected = scores_of(predict(model, ids, padding, batch_size=64, precision="fp32"))

    np.testing.assert_allclose(Scorer(trained, params).score(ids), expected, atol=1e-5)
    assert np.ptp(expected) > 0.05


def test_a_drift_with_length_is_taken_off(trained: Path, encoded: pa.Table, params: Params) -> None:
    ids = encoded["input_ids"].to_pylist()
    before = Scorer(trained, params).logits(ids)
    write_json(trained / "length_drift.json", {"slope": 0.6, "tokens": 2.0})

    moved = np.diff(Scorer(trained, params).logits(ids) - before)[:, 0]

    np.testing.assert_allclose(moved, -0.6 * np.log([len(sequence) / 2 for sequence in ids]), atol=1e-5)


def test_texts_are_cleaned_and_encoded_as_in_training(
    trained: Path, toy_reviews: pa.Table, encoded: pa.Table, params: Params
) -> None:
    scorer = Scorer(trained, params)
    texts = toy_reviews["text"].to_pylist()
    expected = scorer.score(encoded["input_ids"].to_pylist())

    np.testing.assert_array_equal(scorer.score_texts(texts), expected)
    np.testing.assert_array_equal(scorer.score_texts([f"<br /> {text}\x00" for text in texts]), expected)


def test_a_folder_without_a_model_is_refused(tmp_path: Path, params: Params) -> None:
    with pytest.raises(UserError, match=r"preprocessing\.json is missing: run from the project's folder"):
        Scorer(tmp_path, params)


def test_a_folder_without_weights_is_refused(trained: Path, params: Params) -> None:
    (trained / "model.safetensors").unlink()

    with pytest.raises(UserError, match="holds no usable classifier"):
        Scorer(trained, params)
