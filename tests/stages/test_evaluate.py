"""train, evaluate and behaviour on a tiny model, as DVC runs them: in a folder, from files to files."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import PREPROCESSING, Preprocessing, load_params
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import evaluate as figures_of
from sentiment.metrics import scores_of
from sentiment.model.length_drift import load_length_drift
from sentiment.training.calibration import fit_temperature
from sentiment.training.decision import fit_decision
from stages import behaviour, evaluate, train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "  lr: 1.5e-4": "  lr: 5e-3",
    "  batch_size: 32": "  batch_size: 8",
    "  max_length: 192": "  max_length: 8",
    "precision: auto": "precision: fp32",
    "threads: 2": "threads: 1",
}


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_reviews: pa.Table, tokenizer: "PreTrainedTokenizerFast"
) -> Path:
    """Return a folder in which the toy reviews are all three splits, cut to 8 tokens, and no model is yet."""
    from sentiment.text.encoding import Encoder

    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "sentiment/evaluation").mkdir(parents=True)
    shutil.copy(ROOT / "sentiment/evaluation/behaviour.yaml", tmp_path / "sentiment/evaluation")
    monkeypatch.chdir(tmp_path)

    encoded = list(Encoder(tokenizer, load_params().tokenize)(toy_reviews["text"].to_pylist()))
    ids = pa.array([f"{number:02}" for number in range(toy_reviews.num_rows)])
    reviews = pa.table({"id": ids, "text": toy_reviews["text"], "label": toy_reviews["label"]})
    tokenized = reviews.drop_columns("text")
    tokenized = tokenized.append_column("input_ids", pa.array([r.input_ids for r in encoded], pa.list_(pa.int32())))
    tokenized = tokenized.append_column("tokens", pa.array([r.tokens for r in encoded], pa.int32()))
    for place, table in (("subsampled", reviews), ("tokenized", tokenized)):
        (tmp_path / "data" / place).mkdir(parents=True)
        for split in ("train", "validation", "test"):
            pq.write_table(table, tmp_path / "data" / place / f"{split}.parquet")
    pq.write_table(tokenized, tmp_path / "data/tokenized/validation_sentences.parquet")
    preprocessing = Preprocessing(cleaning=load_params().subsample.cleaning, emoji={}, tokenize=load_params().tokenize)
    write_json(tmp_path / "data/tokenized" / PREPROCESSING, preprocessing.model_dump())
    return tmp_path


@pytest.fixture
def model(folder: Path, trained: Path) -> Path:
    """Put a trained model, which reads 8 tokens, where the stages look for it."""
    shutil.copytree(trained, folder / "models/sentiment")
    preprocessing = read("models/sentiment/preprocessing.json")
    write_json("metrics/train.json", {"temperature": 1.5})
    write_json("models/sentiment/preprocessing.json", preprocessing | {"tokenize": load_params().tokenize.model_dump()})
    return folder / "models/sentiment"


def written(folder: Path) -> dict[str, bytes]:
    places = [folder / "metrics", folder / "plots", folder / "data/predictions"]
    files = [path for place in places for path in sorted(place.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def read(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


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


def test_evaluate_tells_calibration_before_and_after_slices_and_errors(model: Path) -> None:
    evaluate.main()

    assert {"data/predictions/errors.md", "plots/evaluate/slices.json"} <= set(written(Path()))
    test = pq.read_table("data/tokenized/test.parquet")
    labels = test["label"].to_numpy()
    logits = Scorer(model, load_params()).logits(test["input_ids"].to_pylist())
    metrics = read("metrics/evaluate.json")
    for found, temperature in ((metrics, 1.0), (metrics["uncalibrated"], 1 / 1.5)):
        expected = figures_of(labels, scores_of(logits / temperature))
        assert {name: found[name] for name in ("ece", "brier", "log_loss")} == pytest.approx(
            {name: expected[name] for name in ("ece", "brier", "log_loss")}, abs=1e-5
        )
    slices = {point["slice"]: point["n"] for point in read("plots/evaluate/slices.json")}
    assert slices["truncated: yes"] == sum(tokens > 8 for tokens in test["tokens"].to_pylist()) > 0
    assert slices["truncated: yes"] + slices["truncated: no"] == 64
    wrong = round(64 * (1 - metrics["accuracy"]))
    assert f"{wrong} of 64 reviews were labelled wrongly" in Path("data/predictions/errors.md").read_text(
        encoding="utf-8"
    )


def test_evaluate_and_behaviour_write_the_same_bytes_again(model: Path) -> None:
    runs = []
    for _ in range(2):
        evaluate.main()
        behaviour.main()
        runs.append(written(Path()))

    assert runs[0] == runs[1]


def test_behaviour_writes_every_case_and_the_rates_that_follow_from_them(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behaviour.main()

    rates = read("metrics/behaviour.json")
    tried = pq.read_table("data/predictions/behaviour.parquet").to_pandas()
    assert rates == pytest.approx(tried.groupby("capability").failed.mean().to_dict(), abs=1e-6)
    checks = {check["check"]: (check["n"], check["failure_rate"]) for check in read("plots/behaviour.json")}
    grouped = tried.groupby(["capability", "kind", "check"]).failed.agg(["size", "mean"])
    expected = {
        f"{capability}: {kind} {name}": (size, mean) for (capability, kind, name), (size, mean) in grouped.T.items()
    }
    assert {name: n for name, (n, _) in checks.items()} == {name: n for name, (n, _) in expected.items()}
    assert [rate for _, rate in checks.values()] == pytest.approx([expected[name][1] for name in checks], abs=1e-6)
    assert "negation: " in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_share_the_reviews_and_write_the_same_bytes(model: Path, toy_reviews: pa.Table) -> None:
    Path("data/cross").mkdir()
    pq.write_table(toy_reviews, "data/cross/others.parquet")
    pq.write_table(pa.table({"text": ["nothing of the kind"], "label": [1]}), "data/subsampled/train.parquet")
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["cross_datasets"] = ["others"]
    params["evaluate"]["batch_size"] = 8
    found = []
    for processes in (1, 2):
        params["train"]["processes"] = processes
        yaml.dump(params, Path("params.yaml"))
        for stage in ("evaluate", "cross_dataset_evaluate"):
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                [sys.executable, "-m", f"stages.{stage}"], env=environment, capture_output=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert done.stderr.count(b": done in ") == 1
        found.append(written(model.parents[1]))

    assert found[0] == found[1]
    assert "metrics/cross/others.json" in found[0]
