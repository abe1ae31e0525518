"""Export a classifier as an ONNX graph, with the attention of each layer as one operation where possible."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import NodeProto, helper, numpy_helper
from onnx.utils import Extractor
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_by_fusion
from torch import nn
from transformers import PreTrainedModel

OPSET = 18
INPUTS = ["input_ids", "attention_mask"]
LOGITS = "logits"


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
    # The example has padding, or the traced graph would rely on there being none.
    ids = torch.full((2, 9), model.config.pad_token_id or 0)
    mask = torch.ones_like(ids)
    mask[1, : 4 if padding_side == "left" else None] = 0
    mask[1, 4:] = 1 if padding_side == "left" else 0
    with TemporaryDirectory() as folder, quiet():
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
    return _fuse_attention(Extractor(graph).extract_model(INPUTS, [LOGITS]))


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


def _fuse_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fuse each layer's attention into one operation where the library can, as it can for BERT's kin."""
    options = FusionOptions("bert")
    options.use_raw_attention_mask()
    # The runtime's own layer norms are faster than these, which aren't vectorized on CPUs.
    options.enable_skip_layer_norm = options.enable_embed_layer_norm = options.enable_bias_skip_layer_norm = False
    with quiet():
        fused = optimize_by_fusion(model, "bert", optimization_options=options)
    # Layers that share their weights, as ALBERT's do, got a copy each.
    fused.remove_duplicated_initializer({})
    fused.model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    _keep_layer_norms(fused.model.graph)
    return fused.model


def _keep_layer_norms(graph: onnx.GraphProto) -> None:
    """Write each addition before a layer norm as Sum, which is the same, and which no runtime fuses with the norm.

    Rounded otherwise, the values of some reviews would fall to other 8-bit integers in one runtime than in the next.
    """
    normed = {node.input[0] for node in graph.node if node.op_type == "LayerNormalization"}
    for node in graph.node:
        if node.op_type == "Add" and node.output[0] in normed:
            node.op_type = "Sum"


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


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries' warnings of exporter, tracing and optional steps, which are the same for every model."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
