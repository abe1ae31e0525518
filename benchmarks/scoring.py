"""Score files of growing length with a model that costs next to nothing, to measure everything but the model.

Reads   models/exported/
Writes  benchmarks/scoring.json    of each file: rows, seconds, rows per second, peak memory

    python -m benchmarks.scoring FOLDER

Each file is scored by `python -m sentiment.predict` in a fresh process, into a file of the same format. A mean over
two numbers per token takes the place of the exported graph; tokenizer and cleaning stay. The files are written into
FOLDER, which needs a gigabyte.
"""

import shutil
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import onnx
import pyarrow.csv
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from benchmarks.large_table import make, measure
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.serving.predictor import GRAPH, TOKENIZER

EXPORTED = Path("models/exported")
RESULTS = Path("benchmarks/scoring.json")
ROWS = (10_000, 100_000, 1_000_000)


def write_graph(path: Path, vocabulary: int) -> None:
    """Write a graph with the inputs and outputs of an exported model, which averages two numbers per token."""
    weights = np.random.default_rng(0).normal(size=(vocabulary, 2)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "input_ids"], ["chosen"]),
            helper.make_node("ReduceMean", ["chosen", "length"], ["logits"], keepdims=0),
        ],
        "mean",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1]), "length")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def write_reviews(folder: Path, rows: int) -> None:
    """Write the same made-up reviews as parquet and as csv."""
    make(folder / "reviews.parquet", rows)
    table = pq.ParquetFile(folder / "reviews.parquet")
    with pyarrow.csv.CSVWriter(folder / "reviews.csv", table.schema_arrow) as csv:
        for batch in table.iter_batches():
            csv.write_batch(batch)


def main() -> None:
    parser = ArgumentParser("scoring")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    model = shutil.copytree(EXPORTED, folder / "model", dirs_exist_ok=True)
    write_graph(model / GRAPH, Tokenizer.from_file(str(model / TOKENIZER)).get_vocab_size())
    results = []
    for rows in ROWS:
        # In a process of its own: a child's peak memory starts from its parent's.
        code = f"from benchmarks.scoring import *; write_reviews(Path({str(folder)!r}), {rows})"
        measure("-c", code, folder=folder, rows=rows)
        for form in ("csv", "parquet"):
            arguments = [f"reviews.{form}", "-o", f"scored.{form}", "--model", str(model)]
            took = measure("-m", "sentiment.predict", *arguments, folder=folder, rows=rows)
            results.append({"file": form, "rows": rows} | took)
    write_json(RESULTS, sorted(results, key=lambda result: result["file"]))
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, "scoring")
