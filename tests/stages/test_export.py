import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.parquet import write_parquet
from sentiment.model.decision import Decision
from sentiment.serving.faithfulness import Fault
from sentiment.serving.predictor import Predictor
from sentiment.serving.quantization import largest_values, quantize
from stages import export
from tests.conftest import ROOT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto


@pytest.fixture
def project(trained_once: Path, encoded: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `train` leaves it, in which the stage runs."""
    folder = tmp_path / "project"
    shutil.copytree(trained_once, folder / "models" / "sentiment")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    for name, rows in {"validation": encoded[:8], "test": encoded}.items():
        write_parquet(folder / "data" / "tokenized" / f"{name}.parquet", rows)
    monkeypatch.chdir(folder)
    return folder


def limit(**changes: float) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    for name, value in changes.items():
        text = re.sub(rf"(?m)^  {name}: .*$", f"  {name}: {value}", text)
    Path("params.yaml").write_text(text, encoding="utf-8")


def test_the_exported_folder_is_whole_and_its_figures_are_those_of_the_predictor(
    project: Path, encoded: pa.Table
) -> None:
    limit(accuracy_change=5, agreement=0.9)
    export.main()

    figures = json.loads(Path("metrics/export.json").read_text(encoding="utf-8"))
    predictor = Predictor(export.EXPORTED)
    predicted = predictor.score(encoded["input_ids"].to_pylist()) >= 0.5
    card = (export.EXPORTED / "README.md").read_text(encoding="utf-8")
    assert sorted(path.relative_to(export.EXPORTED).as_posix() for path in export.EXPORTED.rglob("*.*")) == [
        "README.md",
        "config.json",
        "onnx/model_quantized.onnx",
        "preprocessing.json",
        "provenance.json",
        "serving.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert figures["accuracy_int8"] == pytest.approx((predicted == encoded["label"].to_numpy()).mean(), abs=1e-6)
    assert figures["bytes_int8"] == (export.EXPORTED / export.GRAPH).stat().st_size
    assert figures["n"] == 64
    assert "library_name: onnx" in card
    assert f"{figures['agreement']:.2%}" in card
    assert "With torch" not in card
    assert "## Limits\nMany." in card


def test_the_exported_model_decides_as_the_original(project: Path) -> None:
    limit(accuracy_change=5, agreement=0.9)
    write_json("models/sentiment/decision.json", {"threshold": 0.000002, "low": 0.0, "high": 0.9})
    export.main()

    figures = json.loads(Path("metrics/export.json").read_text(encoding="utf-8"))
    assert (figures["accuracy_fp32"], figures["accuracy_int8"], figures["agreement"]) == (0.5, 0.5, 1)
    assert Predictor(export.EXPORTED).decision == Decision(threshold=0.000002, low=0, high=0.9)


def test_two_folders_get_the_same_bytes(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(accuracy_change=5, agreement=0.9)
    other = shutil.copytree(project, tmp_path / "another" / "place")
    written = []
    for folder in (project, other):
        monkeypatch.chdir(folder)
        export.main()
        files = [*export.EXPORTED.rglob("*.*"), export.METRICS]
        written.append({path.name: path.read_bytes() for path in files})

    assert written[0] == written[1]
    assert not any(str(tmp_path).encode() in content for content in written[0].values())


def test_what_attention_compares_is_kept_exact_where_the_smallest_model_is_unfaithful(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(accuracy_change=5, agreement=0.9)
    tried: list[set[str]] = []

    def fault(figures: dict[str, float], limits: Any) -> Fault | None:
        return None if tried[-1] else Fault("coarse", certain=True)

    def recorded(model: "ModelProto", path: Path, largest: "dict[str, NDArray[np.float32]]", kept: set[str]) -> None:
        tried.append(kept)
        quantize(model, path, largest, kept)

    monkeypatch.setattr("sentiment.serving.faithfulness.find_fault", fault)
    monkeypatch.setattr("sentiment.serving.quantization.quantize", recorded)
    export.main()

    assert [len(kept) for kept in tried] == [0, 2]


def test_the_values_within_the_model_are_observed_on_validation_reviews(
    project: Path, encoded: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(accuracy_change=5, agreement=0.9)
    observed: list[list[int]] = []

    def recorded(model: "ModelProto", sequences: Iterable[list[int]], threads: int) -> "dict[str, NDArray[np.float32]]":
        observed.extend(sequences)
        return largest_values(model, observed, threads)

    monkeypatch.setattr("sentiment.serving.quantization.largest_values", recorded)
    export.main()

    assert observed == encoded["input_ids"][:8].to_pylist()


def test_an_unfaithful_model_is_not_left_behind(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault("too coarse", certain=True)
    monkeypatch.setattr("sentiment.serving.faithfulness.find_fault", lambda *_: fault)

    with pytest.raises(UserError, match=r"^too coarse: train with another seed or longer, or change the limit$"):
        export.main()
    assert [path.name for path in Path("models").iterdir()] == ["sentiment"]
    assert not export.METRICS.exists()


def test_a_model_that_may_be_faithful_is_kept_with_a_warning(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = Fault("one of 64 flipped", certain=False)
    monkeypatch.setattr("sentiment.serving.faithfulness.find_fault", lambda *_: fault)
    export.main()

    said = "warning: one of 64 flipped; so few test reviews can't tell that from chance\n"
    assert said in capsys.readouterr().out
    assert export.METRICS.exists()
    assert Predictor(export.EXPORTED).score_texts(["good"]).shape == (1,)
