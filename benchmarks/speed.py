"""Measure the speed of training, evaluation and tokenization on this machine, against what people would use instead.

Reads   data/raw/, data/subsampled/, models/, params.yaml
Writes  benchmarks/speeds/KIND.json    medians, ranges and ratios, for docs/performance.md, and the commit. KIND is amx
                                       on a processor that multiplies bf16 in tiles (AMX), avx512_bf16 on another
                                       that multiplies bf16, else fp32

    python -m benchmarks.speed [KIND]    (of the kind that is named, or not at all)

Rivals take turns within each repetition, so that other load on the machine slows both; in training, a different one
comes first each time. Nothing else should run.
"""

import os
import platform
import shutil
import tempfile
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import transformers
from ruamel.yaml import YAML
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from benchmarks.costs import MODELS, Model, flops_per_token
from benchmarks.recipes import PRETRAINED, ours, recipes, stock
from benchmarks.timing import (
    Stopwatch,
    arithmetic,
    commit,
    matmul_peak,
    peak_memory,
    ratio,
    seconds,
    speeds_file,
    spread,
    turns,
)
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params, load_params
from sentiment.core.parquet import read_parquet
from sentiment.model.loading import load
from sentiment.model.prediction import predict
from sentiment.text.encoded_rows import rows_in_parts, write_encoded
from sentiment.text.encoding import Encoder, Padding, load_tokenizer
from sentiment.training.fine_tune import as_dataset
from stages.tokenize import SUBSAMPLED

MODEL = Path("models/sentiment")
# Fewer where steps are slow.
STEPS = {"ours": 16, "stock": 4, "stock, padded to the maximum": 4}
OTHER_STEPS = 8
STOCK_REVIEWS = 160


def flops(model: Model, lengths: np.ndarray) -> float:
    """Return the FLOPs per real token of a training step over reviews of these lengths, embeddings frozen.

    The cost of attention per token grows with its review's length. The first layer's queries, keys and values need no
    gradient of their input, as nothing below them learns.
    """
    return flops_per_token(model, (lengths**2).sum() / lengths.sum()) - 3 * 2 * model.hidden**2


def peak(model: Model, tokens: int) -> float:
    """Return the FLOP/s of the products of one layer with a batch's tokens, without the rest of the layer.

    They are in the precision that `auto` takes.
    """
    dtype = torch.float32 if arithmetic() == "fp32" else torch.bfloat16
    attention = 4 * [(tokens, model.hidden, model.hidden)]
    feed_forward = [(tokens, model.hidden, model.intermediate), (tokens, model.intermediate, model.hidden)]
    return matmul_peak([*attention, *feed_forward], dtype)


def whole(split: str, params: Params) -> pa.Table:
    """Return a split's encoded reviews, `input_ids` and `label`, whole as in other people's recipes."""
    reviews = read_parquet(SUBSAMPLED / f"{split}.parquet", ["text", "label"])
    encode = Encoder(load_tokenizer(PRETRAINED), params.tokenize)
    ids = [review.input_ids for review in encode(reviews["text"].to_pylist())]
    return pa.table({"input_ids": pa.array(ids, pa.list_(pa.int32())), "label": reviews["label"].combine_chunks()})


def training(train: pa.Table, params: Params, model: Model, repetitions: int) -> dict[str, Any]:
    """Return each recipe's real tokens per second, our ratios to them, and our share of the matmul peak."""
    lengths = pc.list_value_length(train["input_ids"]).to_numpy()
    tokens = int(lengths.mean()) * params.train.batch_size
    speeds: dict[str, list[float]] = {}
    peaks = []
    with tempfile.TemporaryDirectory() as output:
        for seed in tqdm(range(repetitions), desc="training"):
            peaks.append(peak(model, tokens))
            for name, build in turns(recipes(train, params, Path(output)), seed):
                trainer = build(seed)
                stopwatch = Stopwatch(trainer, STEPS.get(name, OTHER_STEPS))
                trainer.train()
                speeds.setdefault(name, []).append(stopwatch.tokens_per_second())
    shares = [speed * flops(model, lengths) / peak for speed, peak in zip(speeds["ours"], peaks, strict=True)]
    return {
        "tokens_per_second": {name: spread(values) for name, values in speeds.items()},
        "ratio": {name: ratio(speeds["ours"], values) for name, values in speeds.items() if name != "ours"},
        "fp32_ratio": ratio(speeds["without bf16"], speeds["stock"]),
        "peak": spread(peaks),
        "share_of_peak": spread(shares),
    }


def evaluation(test: pa.Table, params: Params, model: Model, repetitions: int) -> dict[str, Any]:
    """Return the reviews per second of our predict and of the stock Trainer's, and our share of the matmul peak."""
    lengths = pc.list_value_length(test["input_ids"]).to_numpy()
    sequences = test["input_ids"].to_pylist()
    padding = Padding.of(load_tokenizer(PRETRAINED))
    classifier = load(MODEL)
    few = test.slice(0, STOCK_REVIEWS)
    speeds: dict[str, list[float]] = {"ours": [], "stock": []}
    peaks = []
    with tempfile.TemporaryDirectory() as output:
        trainer = stock(test, params, 0, Path(output))
        for _ in tqdm(range(repetitions), desc="evaluation"):
            peaks.append(peak(model, int(lengths.mean()) * params.evaluate.batch_size))
            took = seconds(lambda: predict(classifier, sequences, padding, **params.evaluate.model_dump()))
            speeds["ours"].append(len(sequences) / took)
            speeds["stock"].append(STOCK_REVIEWS / seconds(lambda: trainer.predict(as_dataset(few))))
    cost = flops_per_token(model, (lengths**2).sum() / lengths.sum()) / 3 * lengths.mean()
    return {
        "reviews_per_second": {name: spread(values) for name, values in speeds.items()},
        "ratio": ratio(speeds["ours"], speeds["stock"]),
        "peak": spread(peaks),
        "share_of_peak": spread([speed * cost / peak for speed, peak in zip(speeds["ours"], peaks, strict=True)]),
    }


def tokenization(params: Params, repetitions: int) -> dict[str, Any]:
    """Return the reviews per second of the tokenize stage's work and of datasets.map, both with a table written."""
    reviews = read_parquet(SUBSAMPLED / "train.parquet", ["text"])
    encode = Encoder(load_tokenizer(PRETRAINED), params.tokenize)
    tokenizer = load_tokenizer(PRETRAINED)
    dataset = datasets.Dataset(reviews)
    datasets.disable_progress_bars()

    def cut(rows: dict[str, Any]) -> Any:
        return tokenizer(rows["text"], truncation=True, max_length=params.tokenize.max_length)

    def by_map(file: Path) -> None:
        dataset.map(cut, batched=True, remove_columns="text", load_from_cache_file=False).to_parquet(file)

    def by_stage(file: Path) -> None:
        write_encoded(file, rows_in_parts(SUBSAMPLED / "train.parquet", [1]), reviews.num_rows, encode, "ours")

    speeds: dict[str, list[float]] = {"ours": [], "datasets.map": []}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "encoded.parquet")
        by_stage(file)
        by_map(file)
        for _ in tqdm(range(repetitions), desc="tokenization"):
            for name, way in (("ours", by_stage), ("datasets.map", by_map)):
                speeds[name].append(reviews.num_rows / seconds(partial(way, file)))
    return {
        "reviews_per_second": {name: spread(values) for name, values in speeds.items()},
        "ratio": ratio(speeds["ours"], speeds["datasets.map"]),
    }


FUSED_ATTENTION = "aten::_scaled_dot_product_flash_attention_for_cpu"
KINDS = {
    "matrix products of the layers": ("aten::mm", "aten::addmm"),
    "attention, its softmax aside where it is not fused": ("aten::bmm", FUSED_ATTENTION),
    "copies, most between fp32 and bf16": ("aten::copy_",),
    "softmax and its gradient": ("aten::_softmax", "aten::_softmax_backward_data"),
    "GELU and its gradient": ("aten::gelu", "aten::gelu_backward"),
    "layer norm and its gradient": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "optimizer and moving average": ("aten::_fused_adamw_", "aten::lerp_", "aten::linalg_vector_norm"),
    "sums and products of elements": ("aten::add", "aten::add_", "aten::sum", "aten::mul", "aten::mul_"),
}


def shares_of_time(profiled: profile) -> dict[str, float]:
    """Return what share of the operators' own time each kind of KINDS takes, and the rest."""
    times = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    total = sum(times.values())
    shares = {kind: sum(times.get(name, 0) for name in names) / total for kind, names in KINDS.items()}
    return shares | {"everything else": 1 - sum(shares.values())}


def profiles(train: pa.Table, test: pa.Table, params: Params) -> dict[str, dict[str, float]]:
    """Return what the time of some training steps, and of an evaluation, is spent on."""
    with tempfile.TemporaryDirectory() as output:
        trainer = ours(train, params, 0, Path(output))
        Stopwatch(trainer, STEPS["ours"])
        with profile(activities=[ProfilerActivity.CPU]) as learning:
            trainer.train()
    sequences, padding = test["input_ids"].to_pylist(), Padding.of(load_tokenizer(PRETRAINED))
    classifier = load(MODEL)
    with profile(activities=[ProfilerActivity.CPU]) as predicting:
        predict(classifier, sequences, padding, **params.evaluate.model_dump())
    return {"training": shares_of_time(learning), "evaluation": shares_of_time(predicting)}


def memory(project: Path) -> dict[str, int]:
    """Return each stage's peak resident memory in bytes, run in a copy of the project for one epoch."""
    stages = YAML().load(Path("dvc.yaml"))["stages"]
    return {name: peak_memory(f"stages.{name}", folder=project)[0] for name in tqdm(stages, desc="memory")}


def copy_project(folder: Path) -> None:
    """Copy what the stages need, with one epoch in the parameters."""
    for name in ("sentiment", "stages", "own", "data", "models"):
        shutil.copytree(name, folder / name)
    for name in ("catalog.yaml", "requirements.txt"):
        shutil.copy(name, folder)
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["train"]["epochs"] = 1
    yaml.dump(params, folder / "params.yaml")


def machine(params: Params) -> dict[str, Any]:
    return {
        "batch_size": params.train.batch_size,
        "bf16": arithmetic() != "fp32",
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "threads": params.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def main() -> None:
    parser = ArgumentParser("speed")
    parser.add_argument("kind", nargs="?", help="of the processor: amx, avx512_bf16 or fp32")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    file, repetitions = speeds_file(arguments.kind), arguments.repetitions
    params = load_params()
    if params.model not in MODELS:
        raise UserError(f"params.yaml: benchmarks/costs.py does not know what {params.model} costs: take another model")
    model = MODELS[params.model]
    torch.set_num_threads(params.threads)
    transformers.logging.set_verbosity_error()
    train, test = (whole(split, params) for split in ("train", "test"))
    results: dict[str, Any] = {
        "commits": {"speed": commit()},
        "machine": machine(params),
        "tokenization": tokenization(params, repetitions),
        "training": training(train, params, model, repetitions),
        "evaluation": evaluation(test, params, model, repetitions),
        "profile": profiles(train, test, params),
    }
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary)
        copy_project(project)
        results["memory"] = memory(project)
    write_json(file, results)


if __name__ == "__main__":
    run(main, "speed")
