"""A classifier as an ONNX graph that multiplies 8-bit integers.

The library's dynamic quantization gives all values that meet a matrix one scale, so that the few channels with very
large values leave the others coarse: with the default model it changed one prediction in a hundred. Dividing each
channel by a factor first, and multiplying the matrix by it, moves the difficulty into the matrices, whose columns have
scales of their own (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438).
"""

import logging
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_by_fusion
from scipy.cluster.hierarchy import DisjointSet
from torch import nn
from transformers import PreTrainedModel

OPSET = 18
INPUTS = ["input_ids", "attention_mask"]
LOGITS = "logits"
PRODUCTS = ("MatMul", "Attention")
"""Operations that multiply their first input, rows of channels, by a matrix, their second."""
SMOOTHING = 0.8
"""How much of the channels' differences goes into the matrices: 0 is nothing, 1 all."""
TINY = 1e-5
"""What a channel or a row of weights that is zero counts as."""


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
    return _fuse_attention(Extractor(graph).extract_model(INPUTS, [LOGITS]))


def attention_products(model: onnx.ModelProto) -> set[str]:
    """Return the names of the products with weights whose results attention multiplies: queries, keys and values.

    In most models rounding these changes the predictions most.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    # What was fused holds these products itself.
    found = {node.name for node in model.graph.node if node.op_type == "Attention"}
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


def largest_values(
    model: onnx.ModelProto, sequences: Iterable[Sequence[int]], threads: int
) -> dict[str, NDArray[np.float32]]:
    """Return the largest absolute value of each channel that meets a matrix while the model reads some reviews.

    The keys are the names of the values, the arrays float32 [channels].
    """
    names = sorted({node.input[0] for node in _weight_products(model.graph)})
    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    observed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = SessionOptions()
    options.intra_op_num_threads = threads
    session = InferenceSession(observed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest: dict[str, NDArray[np.float32]] = {}
    for sequence in sequences:
        ids = np.array([sequence], np.int64)
        found = session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        for name, values in zip(names, found, strict=True):
            here = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            largest[name] = np.maximum(here, largest.get(name, 0))
    return largest


def quantize(
    model: onnx.ModelProto, path: Path, largest: dict[str, NDArray[np.float32]], kept: Collection[str] = ()
) -> None:
    """Write the graph with weights as 8-bit integers, one scale per column, of which 7 bits are used.

    What meets them is rounded to 8 bits as it is computed.

    The products named by `kept` stay as they are; `largest` is what `largest_values` says of the graph.
    """
    smoothed = onnx.ModelProto()
    smoothed.CopyFrom(model)
    _smooth(smoothed.graph, largest, kept)
    _even_out_embeddings(smoothed.graph)
    with _quiet():
        quantize_dynamic(
            smoothed,
            path,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Processors without 8-bit dot products (VNNI) add up products in 16 bits, which overflow for wider weights.
            reduce_range=True,
            nodes_to_exclude=list(kept),
            # What the type of a value is cannot be inferred through fused attention.
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )


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
    """Make one operation of each layer's attention where the library knows how to, as it does for BERT's kin."""
    options = FusionOptions("bert")
    options.use_raw_attention_mask()
    # The runtime's own layer norms are faster than these, which aren't vectorized on CPUs.
    options.enable_skip_layer_norm = options.enable_embed_layer_norm = options.enable_bias_skip_layer_norm = False
    with _quiet():
        fused = optimize_by_fusion(model, "bert", optimization_options=options)
    # Layers that share their weights, as ALBERT's do, got a copy each.
    fused.remove_duplicated_initializer({})
    fused.model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return fused.model


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


def _weight_products(graph: onnx.GraphProto) -> list[NodeProto]:
    weights = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    return [
        node
        for node in graph.node
        if node.op_type in PRODUCTS and weights.get(node.input[1]) == 2 and node.input[0] not in weights
    ]


def _smooth(graph: onnx.GraphProto, largest: dict[str, NDArray[np.float32]], kept: Collection[str]) -> None:
    """Divide the channels of what meets a matrix by factors that make them more alike, and multiply the matrix by them.

    All that share a matrix, as ALBERT's layers do, or are multiplied by several share their factors. A matrix that is
    also used in another way stays as it is, and so do they.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer}
    products = [node for node in _weight_products(graph) if node.name not in kept]
    ours = {node.output[0] for node in products}
    elsewhere = {name for node in graph.node if node.output[0] not in ours for name in node.input} & weights.keys()
    sharing = DisjointSet({name for node in products for name in node.input[:2]})
    for node in products:
        sharing.merge(*node.input[:2])
    factors: dict[str, NDArray[np.float32]] = {}
    for names in sharing.subsets():
        matrices = {name: numpy_helper.to_array(weights[name]) for name in names & weights.keys()}
        if elsewhere & matrices.keys():
            continue
        rows = names - weights.keys()
        channel = np.max([largest[name] for name in rows], axis=0)
        weight = np.max([np.abs(matrix).max(axis=1) for matrix in matrices.values()], axis=0)
        # A channel that no observed review woke may be woken by another, and must not outshout all others then.
        channel = np.maximum(channel, channel.mean() / 10 + TINY)
        factor = channel**SMOOTHING / np.maximum(weight, TINY) ** (1 - SMOOTHING)
        # Powers of two leave all bits of what they multiply, and nearly always are the same where the last bits of
        # `largest` are not.
        factor = np.ldexp(np.float32(1), np.round(np.log2(factor)).astype(int))
        factors |= dict.fromkeys(rows, 1 / factor)
        for name, matrix in matrices.items():
            weights[name].CopyFrom(numpy_helper.from_array(matrix * factor[:, None], name))
    nodes: list[NodeProto] = []
    smoothed: set[str] = set()
    for node in graph.node:
        rows = node.input[0] if node.output[0] in ours else ""
        if rows in factors:
            node.input[0] = f"{rows}/smooth"
            if rows not in smoothed:
                smoothed.add(rows)
                nodes.append(_multiplied(graph, rows, factors[rows], node.input[0]))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _even_out_embeddings(graph: onnx.GraphProto) -> None:
    """Divide each channel of the tables that are looked up in by its largest value, and multiply what is found by it.

    The library gives a table one scale, which a few tokens or positions with large values would make coarse.
    """
    lookups = {node.output[0] for node in graph.node if node.op_type == "Gather" and not _axis(node)}
    elsewhere = {name for node in graph.node for name in node.input[node.output[0] in lookups :]}
    tables = {
        tensor.name: tensor
        for tensor in graph.initializer
        if len(tensor.dims) == 2 and tensor.data_type == TensorProto.FLOAT and tensor.name not in elsewhere
    }
    factors: dict[str, NDArray[np.float32]] = {}
    nodes: list[NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        table = node.input[0] if node.output[0] in lookups else ""
        if table in tables:
            if table not in factors:
                values = numpy_helper.to_array(tables[table])
                factors[table] = np.maximum(np.abs(values).max(axis=0), TINY)
                tables[table].CopyFrom(numpy_helper.from_array(values / factors[table], table))
            found, node.output[0] = node.output[0], f"{node.output[0]}/even"
            nodes.append(_multiplied(graph, node.output[0], factors[table], found))
    del graph.node[:]
    graph.node.extend(nodes)


def _axis(node: NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)


def _multiplied(graph: onnx.GraphProto, rows: str, factors: NDArray[np.float32], product: str) -> NodeProto:
    graph.initializer.append(numpy_helper.from_array(factors, f"{rows}/factors"))
    return helper.make_node("Mul", [rows, f"{rows}/factors"], [product])


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
