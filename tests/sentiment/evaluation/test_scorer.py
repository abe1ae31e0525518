from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import scores_of
from sentiment.model.prediction import predict
from sentiment.params import Evaluate
from sentiment.text.encoding import Padding
from sentiment.training.build import fit_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

FP32 = Evaluate(batch_size=5, precision="fp32")


def test_scores_are_those_of_the_models_logits_cooled_by_its_temperature_whatever_the_batch_size(
    trained: Path, build_with: "Callable[..., PreTrainedModel]", encoded: pa.Table, padding: Padding
) -> None:
    model = build_with(pooling="mean")
    fit_head(model, encoded, padding, "fp32")
    ids = encoded["input_ids"].to_pylist()
    expected = scores_of(predict(model, ids, padding, batch_size=64, precision="fp32") / 1.5)

    np.testing.assert_allclose(Scorer(trained, FP32).score(ids), expected, atol=1e-5)
    assert np.ptp(expected) > 0.05


def test_a_drift_with_length_is_taken_off_before_the_temperature(trained: Path, encoded: pa.Table) -> None:
    ids = encoded["input_ids"].to_pylist()
    before = Scorer(trained, FP32).score(ids)
    write_json(trained / "calibration.json", {"temperature": 1.5, "length_drift": {"slope": 0.6, "tokens": 2.0}})

    after = Scorer(trained, FP32).score(ids)

    moved = np.log(after / (1 - after)) - np.log(before / (1 - before))
    expected = -0.6 / 1.5 * np.log([len(sequence) / 2 for sequence in ids])
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_texts_are_cleaned_and_encoded_as_in_training(trained: Path, toy_reviews: pa.Table, encoded: pa.Table) -> None:
    scorer = Scorer(trained, FP32)
    texts = toy_reviews["text"].to_pylist()
    expected = scorer.score(encoded["input_ids"].to_pylist())

    np.testing.assert_array_equal(scorer.score_texts(texts), expected)
    np.testing.assert_array_equal(scorer.score_texts([f"<br /> {text}\x00" for text in texts]), expected)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"preprocessing\.json is missing: run from the project's folder"):
        Scorer(tmp_path, FP32)


def test_a_folder_without_a_temperature_is_refused(trained: Path) -> None:
    (trained / "calibration.json").unlink()

    with pytest.raises(UserError, match=r"calibration\.json is missing: run from the project's folder"):
        Scorer(trained, FP32)


def test_a_folder_without_weights_is_refused(trained: Path) -> None:
    (trained / "model.safetensors").unlink()

    with pytest.raises(UserError, match="holds no usable classifier"):
        Scorer(trained, FP32)
