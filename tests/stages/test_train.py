"""train on a tiny model, as DVC runs it: in a folder, from files to files."""

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import evaluate as figures_of
from sentiment.metrics import scores_of
from sentiment.model.length_drift import load_length_drift
from sentiment.training.calibration import fit_temperature
from sentiment.training.decision import fit_decision
from stages import behaviour, evaluate, train
from tests.conftest import ROOT
from tests.stages.conftest import read


@pytest.fixture
def trained_here(folder: Path, pretrained: Path) -> Callable[..., tuple[dict[str, Any], np.ndarray]]:
    """Run the train stage; return its metrics and the saved model's logits of the validation reviews."""
    shutil.copytree(pretrained, folder / "models/pretrained")

    def run(*, correct_bias: str, runs: int = 1, pretrained_share: float = 0.0) -> tuple[dict[str, Any], np.ndarray]:
        text = Path("params.yaml").read_text(encoding="utf-8")
        text = re.sub("correct_bias: .*", f"correct_bias: {correct_bias}", text)
        text = re.sub("  epochs: .*", "  epochs: 12", text)
        text = re.sub(" runs: .*", f" runs: {runs}", text)
        text = re.sub("pretrained_share: .*", f"pretrained_share: {pretrained_share}", text)
        Path("params.yaml").write_text(text, encoding="utf-8")
        train.main()
        scorer = Scorer(Path("models/sentiment"), load_params())
        ids = pq.read_table("data/tokenized/validation.parquet")["input_ids"].to_pylist()
        return read("metrics/train.json"), scorer.logits(ids)

    return run


@pytest.mark.parametrize("runs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_train_folds_the_temperature_into_the_weights_and_tells_the_validation_of_the_saved_model(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]], runs: int
) -> None:
    metrics, logits = trained_here(correct_bias="sentences", runs=runs)

    labels = pq.read_table("data/tokenized/validation.parquet")["label"].to_numpy()
    temperature = metrics["temperature"]
    assert fit_temperature(labels, logits) == pytest.approx(1, rel=1e-3)
    assert temperature == pytest.approx(fit_temperature(labels, logits * temperature), rel=1e-3)
    assert f"divided by {temperature:.3f}" in Path("models/sentiment/README.md").read_text(encoding="utf-8")
    figures = figures_of(labels, scores_of(logits * temperature))
    assert metrics["validation"] == pytest.approx({name: figures[name] for name in ("accuracy", "log_loss")}, abs=1e-5)


def test_train_saves_how_the_model_decides_and_all_that_follow_go_by_it(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]],
) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("  threshold: 0.5", "  threshold: fitted"), encoding="utf-8")
    metrics, logits = trained_here(correct_bias="none")

    labels = pq.read_table("data/tokenized/validation.parquet")["label"].to_numpy()
    decision = fit_decision(labels, scores_of(logits), load_params().evaluate)
    assert metrics["decision"] == pytest.approx(decision.model_dump(), abs=1e-5)
    assert read("models/sentiment/decision.json") == metrics["decision"]

    # Far from where any other would be.
    write_json("models/sentiment/decision.json", {"threshold": 0.000002, "low": 0.0, "high": 0.9})
    evaluate.main()
    behaviour.main()
    found = read("metrics/evaluate.json")
    assert (found["accuracy"], found["recall"], found["balanced_accuracy"]) == (0.5, 1, 0.5)
    assert set(found["sure"]) <= {"coverage", "accuracy"}
    assert {"coverage_at_95", "coverage_at_99", "aurc"} <= set(found)
    cases = pq.read_table("data/predictions/behaviour.parquet").to_pandas()
    assert cases[cases.kind == "MFT"].failed.equals(cases[cases.kind == "MFT"].label == 0)
    assert "but labelled positive" not in Path("data/predictions/errors.md").read_text(encoding="utf-8")


def test_a_softmax_over_the_logits_of_the_saved_weights_gives_the_calibrated_scores(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]],
) -> None:
    _, logits = trained_here(correct_bias="sentences")

    assert not Path("models/sentiment/length_drift.json").exists()
    loaded = AutoModelForSequenceClassification.from_pretrained("models/sentiment").eval()
    ids = pq.read_table("data/tokenized/validation.parquet")["input_ids"].to_pylist()
    with torch.inference_mode():
        plain = [loaded(torch.tensor([row]), torch.ones(1, len(row))).logits.softmax(1)[0, 1].item() for row in ids]
    np.testing.assert_allclose(plain, scores_of(logits), atol=1e-5)


def test_sentences_that_are_missing_are_missed_before_the_training(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("data/tokenized/validation_sentences.parquet").unlink()
    monkeypatch.setattr("sentiment.training.build.build", None)

    with pytest.raises(UserError, match=r"validation_sentences\.parquet"):
        trained_here(correct_bias="sentences")


def test_checkpoints_are_those_of_all_code_of_every_package(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed: list[str] = []

    def record(provenance: dict[str, Any], code: Iterable[Path], root: Path) -> Path:
        keyed.extend(path.relative_to(root).as_posix() for path in code)
        raise UserError("enough")

    monkeypatch.setattr("sentiment.training.checkpoints.folder_for", record)
    with pytest.raises(UserError, match="enough"):
        trained_here(correct_bias="none")

    assert {"stages/train.py", "sentiment/training/fine_tune.py", "sentiment/model/__init__.py"} <= set(keyed)
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sentiment").rglob("*.py")}
    assert sorted(keyed) == sorted({"stages/train.py", *modules})


def test_a_corrected_bias_shifts_all_logits_by_what_is_told(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]],
) -> None:
    plain, before = trained_here(correct_bias="none")
    corrected, after = trained_here(correct_bias="sentences")

    assert "bias_shift" not in plain
    shift = corrected["bias_shift"]
    assert abs(shift) > 0.001
    moved = after * corrected["temperature"] - before * plain["temperature"]
    np.testing.assert_allclose(moved, np.tile([-shift / 2, shift / 2], (len(before), 1)), atol=1e-4)


@pytest.mark.parametrize("runs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_encoder_keeps_the_share_asked_for_of_its_pretrained_weights_and_the_head_none(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]], runs: int
) -> None:
    def trained(share: float) -> dict[str, torch.Tensor]:
        trained_here(correct_bias="none", runs=runs, pretrained_share=share)
        return load_file("models/sentiment/model.safetensors")

    pretrained = AutoModel.from_pretrained("models/pretrained").state_dict()
    tuned, mixed = trained(0.0), trained(0.25)

    assert mixed.keys() == tuned.keys()
    # The head's weights were divided by one temperature and by another.
    encoder = {name for name in mixed if not name.startswith("head.")}
    for name in encoder:
        before = pretrained[name.removeprefix("encoder.")]
        torch.testing.assert_close(mixed[name], 0.75 * tuned[name] + 0.25 * before)
    assert any(not torch.equal(mixed[name], tuned[name]) for name in encoder)
    # Of one direction whatever the temperature.
    heads = [weights["head.weight"].flatten() for weights in (tuned, mixed)]
    assert torch.nn.functional.cosine_similarity(*heads, dim=0) == pytest.approx(1, abs=1e-6)


def test_a_drift_with_length_is_fitted_saved_and_told(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]],
) -> None:
    path = Path("data/tokenized/validation_sentences.parquet")
    sentences = pq.read_table(path)
    starts = pa.array([ids[:3] for ids in sentences["input_ids"].to_pylist()], pa.list_(pa.int32()))
    pq.write_table(sentences.set_column(sentences.column_names.index("input_ids"), "input_ids", starts), path)

    metrics, logits = trained_here(correct_bias="by_length")

    drift = load_length_drift(Path("models/sentiment"))
    assert drift is not None
    assert drift.tokens == pytest.approx(3)
    assert metrics["length_drift"] == drift.model_dump()
    card = " ".join(Path("models/sentiment/README.md").read_text(encoding="utf-8").split())
    assert "from 3 tokens on, positive's log odds drift by" in card
    labels = pq.read_table("data/tokenized/validation.parquet")["label"].to_numpy()
    figures = figures_of(labels, scores_of(logits * metrics["temperature"]))
    assert metrics["validation"] == pytest.approx({name: figures[name] for name in ("accuracy", "log_loss")}, abs=1e-5)


def test_reviews_without_a_length_to_drift_over_are_refused_before_the_training(
    trained_here: Callable[..., tuple[dict[str, Any], np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.training.fine_tune.fine_tune", None)

    with pytest.raises(UserError, match=r"train\.correct_bias is by_length, and the validation reviews have"):
        trained_here(correct_bias="by_length")
