"""A classifier as an ONNX graph that multiplies 8-bit integers.

The library's dynamic quantization gives all tokens of a review one scale, so that the few tokens with very large values
leave the others coarse: on the default model it changed more than one prediction in a hundred. Dividing each token's
row by its largest value first, and multiplying the product by it again, gives each token a scale of its own.
"""

import logging
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import NodeProto, helper, numpy_helper
from onnx.utils import Extractor
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from torch import nn
from transformers import PreTrainedModel

OPSET = 18
INPUTS = ["input_ids", "attention_mask"]
LOGITS = "logits"
TINY = 1e-9
"""A row of zeros is divided by this."""


class _Logits(nn.Module):
    """A classifier whose only output is its logits."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def to_onnx(model: PreTrainedModel, padding_side: str) -> onnx.ModelProto:
    """Return the classifier as a graph from token ids and attention mask, int64 [batch, length], to its logits."""
    # Plain attention is made of operations that every family exports and every runtime knows.
    model.set_attn_implementation("eager")
    # The example has padding, lest the tracing take it for granted that there is none.
    ids = torch.full((2, 9), model.config.pad_token_id or 0)
    mask = torch.ones_like(ids)
    mask[1, : 4 if padding_side == "left" else None] = 0
    mask[1, 4:] = 1 if padding_side == "left" else 0
    with TemporaryDirectory() as folder, _quiet():
        file = Path(folder) / "model.onnx"
        # The newer exporter, dynamo=True, cannot export XLNet.
        torch.onnx.export(
            _Logits(model).eval(),
            (ids, mask),
            file,
            input_names=INPUTS,
            output_names=[LOGITS],
            dynamic_axes={key: {0: "batch", 1: "length"} for key in INPUTS} | {LOGITS: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )
        graph = onnx.load(file)
    _split_gemms(graph.graph)
    _fix_shapes(graph)
    return Extractor(graph).extract_model(INPUTS, [LOGITS])


def attention_products(model: onnx.ModelProto) -> set[str]:
    """Return the names of the products with weights whose results attention multiplies: queries, keys and values.

    In most models rounding these changes the predictions most.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    found: set[str] = set()
    queue = [
        name
        for node in model.graph.node
        if node.op_type == "MatMul" and not weights & set(node.input)
        for name in node.input
    ]
    while queue:
        node = makers.pop(queue.pop(), None)
        if node is None or node.op_type == "Shape":
            continue
        if node.op_type != "MatMul":
            queue.extend(node.input)
        elif node.input[1] in weights:
            found.add(node.name)
    return found


def quantize(model: onnx.ModelProto, path: Path, kept: Collection[str] = ()) -> None:
    """Write the graph with 8-bit weights, one scale per column, and 8-bit activations, one scale per token.

    The products named by `kept` stay as they are.
    """
    scaled = onnx.ModelProto()
    scaled.CopyFrom(model)
    _scale_rows(scaled.graph, kept)
    with _quiet():
        quantize_dynamic(scaled, path, per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=list(kept))


def _fix_shapes(model: onnx.ModelProto) -> None:
    """Give reshapes constant shapes in place of computed ones: 0 keeps the input's dimension, -1 is what is left.

    Computing them takes about a tenth of a short review's time.
    """
    inferred = SymbolicShapeInference.infer_shapes(model, auto_merge=True).graph
    shapes = {
        value.name: [axis.dim_param or axis.dim_value or None for axis in value.type.tensor_type.shape.dim]
        for value in [*inferred.value_info, *inferred.input, *inferred.output]
    }
    for node in model.graph.node:
        if node.op_type != "Reshape" or not shapes.get(node.output[0]):
            continue
        before = enumerate(shapes.get(node.input[0], []))
        after = enumerate(shapes[node.output[0]])
        same = {axis for axis in before if axis[1] is not None}
        shape = [0 if axis in same else axis[1] if isinstance(axis[1], int) else -1 for axis in after]
        if shape.count(-1) <= 1:
            node.input[1] = f"{node.output[0]}/shape"
            model.graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), node.input[1]))


def _split_gemms(graph: onnx.GraphProto) -> None:
    """Turn each Gemm (x W + b, as GPT-2's layers and many heads are) into a MatMul and an Add."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        plain = options.get("alpha", 1) == options.get("beta", 1) == 1 and not options.get("transA")
        if node.op_type != "Gemm" or node.input[1] not in weights or not plain:
            nodes.append(node)
            continue
        rows, weight, *bias = node.input
        if options.get("transB"):
            transposed = numpy_helper.to_array(weights[weight]).T
            weight = f"{weight}/transposed"
            if weight not in weights:
                weights[weight] = numpy_helper.from_array(np.ascontiguousarray(transposed), weight)
                graph.initializer.append(weights[weight])
        (output,) = node.output
        product = f"{output}/product" if bias else output
        nodes.append(helper.make_node("MatMul", [rows, weight], [product], f"{node.name}/MatMul"))
        if bias:
            nodes.append(helper.make_node("Add", [product, *bias], [output], f"{node.name}/Add"))
    del graph.node[:]
    graph.node.extend(nodes)


def _scale_rows(graph: onnx.GraphProto, kept: Collection[str]) -> None:
    """Divide every row that meets constant weights by its largest absolute value, and multiply the product by it."""
    weights = {tensor.name for tensor in graph.initializer}
    last, tiny = "last_axis", "tiny"
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), last))
    graph.initializer.append(numpy_helper.from_array(np.array(TINY, np.float32), tiny))
    nodes: list[NodeProto] = []
    scaled: set[str] = set()
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights or node.name in kept:
            nodes.append(node)
            continue
        rows, weight = node.input
        (output,) = node.output
        scale = f"{rows}/scale"
        if rows not in scaled:
            scaled.add(rows)
            nodes += [
                helper.make_node("Abs", [rows], [f"{rows}/abs"]),
                helper.make_node("ReduceMax", [f"{rows}/abs", last], [f"{rows}/max"], keepdims=1),
                helper.make_node("Max", [f"{rows}/max", tiny], [scale]),
                helper.make_node("Div", [rows, scale], [f"{rows}/scaled"]),
            ]
        nodes += [
            helper.make_node("MatMul", [f"{rows}/scaled", weight], [f"{output}/scaled"], node.name),
            helper.make_node("Mul", [f"{output}/scaled", scale], [output]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the libraries say about exporter, tracing and optional steps; it holds for every model."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
