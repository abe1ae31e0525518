import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import torch

from sentiment.classifier import build, load, predict
from sentiment.encoding import Encoder, Padding, load_tokenizer
from sentiment.errors import UserError
from sentiment.files import write_json
from sentiment.metrics import scores_of
from sentiment.params import Params
from sentiment.parquet import write_parquet
from sentiment.predictor import Predictor
from sentiment.quantization import attention_products, quantize, to_onnx
from stages import export
from tests.conftest import ROOT
from tests.families import FAMILIES, Family

if TYPE_CHECKING:
    from onnx import ModelProto


@pytest.fixture
def project(trained_once: Path, encoded: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `train` leaves it, in which the stage runs."""
    folder = tmp_path / "project"
    shutil.copytree(trained_once, folder / "models" / "sentiment")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    write_parquet(folder / "data" / "tokenized" / "test.parquet", encoded)
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
    assert sorted(path.name for path in export.EXPORTED.iterdir()) == [
        "README.md",
        "calibration.json",
        "model.onnx",
        "preprocessing.json",
        "provenance.json",
        "serving.json",
        "tokenizer.json",
    ]
    assert figures["accuracy_int8"] == pytest.approx((predicted == encoded["label"].to_numpy()).mean(), abs=1e-6)
    assert figures["bytes_int8"] == (export.EXPORTED / "model.onnx").stat().st_size
    assert figures["n"] == 64
    assert predictor.temperature == 1.5
    assert "library_name: onnx" in card
    assert f"{figures['agreement']:.2%}" in card
    assert "With torch" not in card
    assert "## Limits\nMany." in card


def test_two_folders_get_the_same_bytes(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(accuracy_change=5, agreement=0.9)
    other = shutil.copytree(project, tmp_path / "another" / "place")
    written = []
    for folder in (project, other):
        monkeypatch.chdir(folder)
        export.main()
        files = [*export.EXPORTED.iterdir(), export.METRICS]
        written.append({path.name: path.read_bytes() for path in files})

    assert written[0] == written[1]
    assert not any(str(tmp_path).encode() in content for content in written[0].values())


@pytest.fixture
def figures() -> dict[str, float]:
    return {"accuracy_fp32": 0.9, "accuracy_int8": 0.895, "agreement": 0.99}


def test_a_faithful_model_has_no_fault(figures: dict[str, float], params_with: Callable[..., Params]) -> None:
    limits = params_with(export={"accuracy_change": 0.5, "agreement": 0.99}).export

    assert export.unfaithful(figures, limits) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"accuracy_int8": 0.89}, r"change the accuracy on the test reviews by 1\.00 points, from 0\.9000 to 0\.8900,"),
        ({"accuracy_int8": 0.91}, r"change the accuracy on the test reviews by 1\.00 points, from 0\.9000 to 0\.9100,"),
        ({"agreement": 0.98}, r"agree with the original on 98\.00% of the test reviews, but params\.yaml asks for"),
    ],
)
def test_an_unfaithful_model_is_described_in_one_sentence(
    figures: dict[str, float], params_with: Callable[..., Params], change: dict[str, float], sentence: str
) -> None:
    fault = export.unfaithful(figures | change, params_with(export={"accuracy_change": 0.5, "agreement": 0.99}).export)

    assert fault is not None
    assert re.search(sentence, fault)
    assert "\n" not in fault


def test_what_attention_compares_is_kept_exact_where_the_smallest_model_is_unfaithful(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(accuracy_change=5, agreement=0.9)
    tried: list[set[str]] = []

    def fault(figures: dict[str, float], limits: Any) -> str | None:
        return None if tried[-1] else "coarse"

    def recorded(model: "ModelProto", path: Path, kept: set[str]) -> None:
        tried.append(kept)
        quantize(model, path, kept)

    monkeypatch.setattr(export, "unfaithful", fault)
    monkeypatch.setattr("sentiment.quantization.quantize", recorded)
    export.main()

    assert [len(kept) for kept in tried] == [0, 6]


def test_an_unfaithful_model_is_not_left_behind(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "unfaithful", lambda *_: "too coarse")

    with pytest.raises(UserError, match=r"^too coarse$"):
        export.main()
    assert [path.name for path in Path("models").iterdir()] == ["sentiment"]
    assert not export.METRICS.exists()


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_family_is_exported_with_the_logits_it_had(
    family: Family, pooling: str, params_with: Callable[..., Params], toy_reviews: pa.Table, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    family.write(tmp_path / "pretrained", real=False)
    tokenizer = load_tokenizer(tmp_path / "pretrained")
    padding = Padding.of(tokenizer)
    params = params_with(tokenize={"max_length": 48}, train={"pooling": pooling, "head": "random", "freeze": "none"})
    torch.manual_seed(1)
    trained, folder = tmp_path / "sentiment", tmp_path / "exported"
    build(tmp_path / "pretrained", tokenizer, params.train).save_pretrained(trained)
    tokenizer.save_pretrained(trained)
    write_json(trained / "calibration.json", {"temperature": 1.0})
    write_json(trained / "provenance.json", {})
    cleaning = params.subsample.cleaning.model_dump()
    write_json(trained / "preprocessing.json", {"cleaning": cleaning, "tokenize": params.tokenize.model_dump()})
    texts = [*toy_reviews["text"].to_pylist()[:20], "", "[SEP] </s> <|endoftext|> <pad>", "it's … 😀 " * 30]
    sequences = [review.input_ids for review in Encoder(tokenizer, params.tokenize)(texts)]

    model = load(trained)
    logits = predict(model, sequences, padding, batch_size=7, precision="fp32")
    graph = to_onnx(model, padding.side)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    batch = padding([{"input_ids": ids} for ids in sequences])
    (exact,) = session.run(None, {name: tensor.numpy() for name, tensor in batch.items()})
    np.testing.assert_allclose(exact, logits, atol=1e-5)

    folder.mkdir()
    export.write_companions(trained, folder)
    quantize(graph, folder / "model.onnx")
    predictor = Predictor(folder)

    assert [review.input_ids for review in predictor.encode(texts)] == sequences
    for kept in (set[str](), attention_products(graph)):
        quantize(graph, folder / "model.onnx", kept)
        np.testing.assert_allclose(Predictor(folder).score(sequences), scores_of(logits), atol=0.02)


def test_the_graph_computes_no_shape_for_what_attention_reshapes(trained_once: Path, padding: Padding) -> None:
    graph = to_onnx(load(trained_once), padding.side).graph
    constants = {tensor.name for tensor in graph.initializer}
    reshapes = [node for node in graph.node if node.op_type == "Reshape" and "attention" in node.name]

    assert reshapes
    assert all(node.input[1] in constants for node in reshapes)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_graph_takes_batches_and_lengths_other_than_the_examples(
    trained_once: Path, encoded: pa.Table, padding: Padding, side: str
) -> None:
    model = load(trained_once)
    session = onnxruntime.InferenceSession(to_onnx(model, padding.side).SerializeToString())
    pad = Padding(padding.token, side)
    for rows in ([0], [0, 1, 2, 3, 40], list(range(64))):
        sequences = [encoded["input_ids"][row].as_py() for row in rows]
        expected = predict(model, sequences, pad, batch_size=64, precision="fp32")
        batch = {name: tensor.numpy() for name, tensor in pad([{"input_ids": ids} for ids in sequences]).items()}
        (found,) = session.run(None, batch)
        # The model's own function orders the rows by their length.
        np.testing.assert_allclose(found, expected, atol=1e-5)
