from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from sentiment.core.params import Params, Preprocessing
from sentiment.metrics import scores_of
from sentiment.model.loading import load, save
from sentiment.model.prediction import predict
from sentiment.serving.graph import to_onnx
from sentiment.serving.predictor import GRAPH, Predictor
from sentiment.serving.quantization import attention_products, largest_values, quantize
from sentiment.text.emoji import unknown_emoji
from sentiment.text.encoding import Encoder, Padding, load_tokenizer
from sentiment.training.build import build
from stages.export import write_companions
from tests.families import FAMILIES, Family

if TYPE_CHECKING:
    from onnx import ModelProto


@pytest.mark.parametrize("pooling", ["mean", pytest.param("first", marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_family_is_exported_with_the_logits_it_had(
    family: Family, pooling: str, params_with: Callable[..., Params], toy_reviews: pa.Table, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    family.write(tmp_path / "pretrained", real=False)
    tokenizer = load_tokenizer(tmp_path / "pretrained")
    padding = Padding.of(tokenizer)
    params = params_with(tokenize={"max_length": 48}, train={"pooling": pooling, "freeze": "none"})
    torch.manual_seed(1)
    trained, folder = tmp_path / "sentiment", tmp_path / "exported"
    emoji = unknown_emoji(tokenizer)
    preprocessing = Preprocessing(cleaning=params.subsample.cleaning, emoji=emoji, tokenize=params.tokenize)
    save(build(tmp_path / "pretrained", tokenizer, params.train), tokenizer, preprocessing, trained)
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
    write_companions(trained, folder)
    largest = largest_values(graph, sequences, threads=1)
    for kept in (set[str](), attention_products(graph)):
        quantize(graph, folder / GRAPH, largest, kept)
        predictor = Predictor(folder)
        assert [review.input_ids for review in predictor.encode(texts)] == sequences
        scores = scores_of(logits)
        # Random models hardly tell reviews apart, so that anything would be close.
        errors = np.abs(predictor.score(sequences) - scores)
        assert errors.max() < 0.02
        assert errors.mean() < np.ptp(scores) / 2


ATTENTION = {
    "bert": (2, 2),
    "distilbert": (2, 2),
    "roberta": (2, 2),
    "gpt2": (0, 2),
    "electra": (2, 2),
    "xlnet": (0, 0),
    "albert": (1, 4),
    "deberta-v2": (0, 10),
    "modernbert": (0, 2),
}
"""Of each family's two layers, those whose attention is one operation, and the products that attention compares."""


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_graph_fuses_attention_where_it_can_and_holds_each_matrix_once(
    family: Family, params_with: Callable[..., Params], tmp_path: Path
) -> None:
    model = exported_graph(family, params_with, tmp_path)
    matrices = [tensor.raw_data for tensor in model.graph.initializer if len(tensor.dims) == 2]
    fused = sum(node.op_type == "Attention" for node in model.graph.node)

    assert (fused, len(attention_products(model))) == ATTENTION[str(family)]
    assert len(matrices) == len(set(matrices))


def exported_graph(family: Family, params_with: Callable[..., Params], folder: Path) -> "ModelProto":
    family.write(folder / "pretrained", real=False)
    tokenizer = load_tokenizer(folder / "pretrained")
    train = params_with(train={"freeze": "none"}).train
    return to_onnx(build(folder / "pretrained", tokenizer, train), Padding.of(tokenizer).side)


def test_what_splits_heads_needs_no_computed_shape_where_attention_stays_many_operations(
    params_with: Callable[..., Params], tmp_path: Path
) -> None:
    (family,) = (family for family in FAMILIES if str(family) == "gpt2")
    graph = exported_graph(family, params_with, tmp_path).graph
    constants = {tensor.name for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    split = [made_by[node.input[0]] for node in graph.node if node.op_type == "Transpose"]
    reshapes = [node for node in split if node.op_type == "Reshape"]

    assert reshapes
    assert all(node.input[1] in constants for node in reshapes)


@dataclass(frozen=True)
class Lookup:
    """A graph that looks ids up in a table and multiplies what it finds by a matrix, to logits."""

    table: np.ndarray
    matrix: np.ndarray
    model: "ModelProto"

    @property
    def logits(self) -> np.ndarray:
        return self.table @ self.matrix

    def run(self, path: Path) -> list[np.ndarray]:
        """Return the outputs of a graph that was made from this one, for all ids: first the logits [1, ids, labels]."""
        ids = np.arange(len(self.table))[None]
        return onnxruntime.InferenceSession(path).run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})


@pytest.fixture
def lookup() -> Lookup:
    """A lookup whose first channel has values a hundred times as large as the others', and weights as small."""
    rng = np.random.default_rng(0)
    table, matrix = rng.normal(size=(20, 8)).astype(np.float32), rng.normal(size=(8, 2)).astype(np.float32)
    table[:, 0] *= -100
    matrix[0] /= 100
    shape = ["batch", "length"]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("MatMul", ["rows", "matrix"], ["logits"], "product"),
        ],
        "lookup",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, 2])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(matrix, "matrix")],
    )
    return Lookup(table, matrix, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))


def test_the_largest_values_are_those_of_all_reviews_whatever_their_sign(lookup: Lookup) -> None:
    largest = largest_values(lookup.model, [[3, 1, 4], [15, 9]], threads=1)

    assert largest.keys() == {"rows"}
    np.testing.assert_array_equal(largest["rows"], np.abs(lookup.table[[3, 1, 4, 15, 9]]).max(axis=0))


def test_a_channel_with_large_values_does_not_leave_the_others_coarse(lookup: Lookup, tmp_path: Path) -> None:
    def error(largest: np.ndarray) -> float:
        quantize(lookup.model, tmp_path / "model.onnx", {"rows": largest})
        (logits,) = lookup.run(tmp_path / "model.onnx")
        return float(np.abs(logits - lookup.logits).mean())

    # Equal values leave the factors to the weights, which makes matters worse for the first channel's large values.
    assert error(np.abs(lookup.table).max(axis=0)) < error(np.ones(8, np.float32)) / 5


def test_a_matrix_or_a_table_that_is_also_used_in_another_way_keeps_its_values(lookup: Lookup, tmp_path: Path) -> None:
    model = lookup.model
    for name in ("matrix", "table"):
        model.graph.node.append(helper.make_node("Neg", [name], [f"minus {name}"]))
        model.graph.output.append(helper.make_tensor_value_info(f"minus {name}", TensorProto.FLOAT, None))
    quantize(model, tmp_path / "model.onnx", largest_values(model, [[0, 1, 2]], threads=1))

    logits, matrix, table = lookup.run(tmp_path / "model.onnx")
    np.testing.assert_allclose(-matrix, lookup.matrix, atol=0.05)
    np.testing.assert_allclose(-table, lookup.table, atol=np.abs(lookup.table).max() / 60)
    np.testing.assert_allclose(logits[0], lookup.logits, atol=np.abs(lookup.table).max() / 10)


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
