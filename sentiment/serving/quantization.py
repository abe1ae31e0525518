"""Quantize an ONNX graph: its matrix products become those of 8-bit integers.

The library's dynamic quantization gives all the values that a matrix multiplies one scale, so that a few channels with
very large values leave the others coarse: with the default model it changed one prediction in a hundred. Dividing each
channel by a factor first, and multiplying the matrix by it, moves the difficulty into the matrices, whose columns have
scales of their own (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438).
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.quantization import QuantType, quantize_dynamic
from scipy.cluster.hierarchy import DisjointSet

from sentiment.serving.graph import quiet

PRODUCTS = ("MatMul", "Attention")
"""Operations that multiply their first input, rows of channels, by a matrix, their second."""
SMOOTHING = 0.8
"""How much of the channels' differences goes into the matrices: 0 is none, 1 all."""
TINY = 1e-5
"""What a channel or a row of weights that is zero counts as."""


def attention_products(model: onnx.ModelProto) -> set[str]:
    """Return the names of the products with weights whose results attention multiplies: queries, keys and values.

    In most models, rounding these changes the predictions most.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    # Fused attention contains these products.
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
    """Return the largest absolute value of each channel that a matrix multiplies while the model reads some reviews.

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
    """Write the graph with 8-bit weights, one scale per column; the values they multiply are rounded at run time.

    The products named by `kept` stay as they are; `largest` is what `largest_values` says of the graph.
    """
    smoothed = onnx.ModelProto()
    smoothed.CopyFrom(model)
    _smooth(smoothed.graph, largest, kept)
    _even_out_embeddings(smoothed.graph)
    with quiet():
        quantize_dynamic(
            smoothed,
            path,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Seven bits: processors without 8-bit dot products (VNNI) add up in 16 bits, which more would overflow.
            reduce_range=True,
            nodes_to_exclude=list(kept),
            # The types of values can't be inferred through fused attention.
            extra_options={"DefaultTensorType": TensorProto.FLOAT},
        )


def _weight_products(graph: onnx.GraphProto) -> list[NodeProto]:
    weights = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    return [
        node
        for node in graph.node
        if node.op_type in PRODUCTS and weights.get(node.input[1]) == 2 and node.input[0] not in weights
    ]


def _smooth(graph: onnx.GraphProto, largest: dict[str, NDArray[np.float32]], kept: Collection[str]) -> None:
    """Divide the channels that a matrix multiplies by factors that even them out, and multiply the matrix by these.

    Values that share a matrix, as those of ALBERT's layers do, or that several matrices multiply share their factors. A
    matrix that is also used in another way stays as it is, and so do the values.
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
        factor = _evening_factors(channel, weight)
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
                nodes.append(_multiply(graph, rows, factors[rows], node.input[0]))
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _evening_factors(channel: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a factor for each channel, given its largest value and the largest weight that meets it.

    They are powers of two: multiplying by them loses no bits, and they nearly always stay the same when the last bits
    of the largest values change.
    """
    # A channel that is idle on the observed reviews may be active on others, and must not drown out all channels then.
    channel = np.maximum(channel, channel.mean() / 10 + TINY)
    factor = channel**SMOOTHING / np.maximum(weight, TINY) ** (1 - SMOOTHING)
    return np.ldexp(np.float32(1), np.round(np.log2(factor)).astype(int))


def _even_out_embeddings(graph: onnx.GraphProto) -> None:
    """Divide each channel of the embedding tables by its largest value, and multiply what is looked up by it.

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
            nodes.append(_multiply(graph, node.output[0], factors[table], found))
    del graph.node[:]
    graph.node.extend(nodes)


def _axis(node: NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)


def _multiply(graph: onnx.GraphProto, rows: str, factors: NDArray[np.float32], product: str) -> NodeProto:
    graph.initializer.append(numpy_helper.from_array(factors, f"{rows}/factors"))
    return helper.make_node("Mul", [rows, f"{rows}/factors"], [product])
