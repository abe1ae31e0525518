"""Measure the speed of training and evaluation on a GPU, against the stock Trainer.

Reads   data/subsampled/, models/pretrained/, params.yaml
Writes  benchmarks/gpu.json    by model: medians, ranges and ratios, for docs/performance.md; training's come first

    python -m benchmarks.gpu

Rivals take turns within each repetition. Beside the pipeline's own model one of BERT-base's shape is measured, as
larger models are what people use a GPU for. Weights are random, as their values do not change the speed.
"""

import shutil
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
import transformers
from tqdm import tqdm
from transformers import AutoConfig, AutoModel, BertConfig, PreTrainedConfig, Trainer

from benchmarks.recipes import PRETRAINED, ours, recipes, stock
from benchmarks.speed import whole
from benchmarks.timing import Stopwatch, commit, ratio, seconds, spread, turns
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params, load_params
from sentiment.model.device import device
from sentiment.model.prediction import predict
from sentiment.text.encoding import Padding, load_tokenizer
from sentiment.training.build import build
from sentiment.training.fine_tune import as_dataset

RESULTS = Path("benchmarks/gpu.json")
WARMUP = 10
STEPS = 40
EVALUATION_BATCH = 64


def pretrained(config: PreTrainedConfig, folder: Path) -> Path:
    """Save an encoder of random weights beside the pretrained model's tokenizer; return the folder."""
    shutil.copytree(PRETRAINED, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


def time_training(trainer: Trainer) -> tuple[float, float]:
    """Return a training's real tokens per second, and the seconds that it took to warm up."""
    stopwatch = Stopwatch(trainer, STEPS, WARMUP)
    started = time.perf_counter()
    trainer.train()
    return stopwatch.tokens_per_second(), stopwatch.ends[WARMUP - 1] - started


def training(train: pa.Table, params: Params, model: Path, repetitions: int) -> dict[str, Any]:
    """Return each recipe's real tokens per second, and our ratios to them.

    `compiled` is what torch.compile makes of ours: how many times its speed, and the seconds that compiling takes.
    """
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as output:
        rivals = recipes(train, params, Path(output), model)
        rivals["stock in bf16"] = partial(stock, train, params, output=Path(output), pretrained=model, bf16=True)
        for seed in tqdm(range(repetitions), desc="training"):
            for name, build in turns(rivals, seed):
                speeds.setdefault(name, []).append(time_training(build(seed))[0])
        mine = partial(ours, train, params, repetitions, Path(output), pretrained=model)
        plain, start = time_training(mine())
        compiled, start_compiled = time_training(mine(compiled=True))
    return {
        "tokens_per_second": {name: spread(values) for name, values in speeds.items()},
        "ratio": {name: ratio(speeds["ours"], values) for name, values in speeds.items() if name != "ours"},
        "compiled": {"ratio": compiled / plain, "seconds": start_compiled - start},
    }


def evaluation(test: pa.Table, params: Params, model: Path, repetitions: int) -> dict[str, Any]:
    """Return the reviews per second of our predict and of the stock Trainer's, with batches of the same size."""
    sequences = test["input_ids"].to_pylist()
    tokenizer = load_tokenizer(PRETRAINED)
    padding = Padding.of(tokenizer)
    classifier = build(model, tokenizer, params.train, device(params.device))
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as output:
        trainers = {
            name: stock(test, params, 0, Path(output), pretrained=model, bf16=bf16)
            for name, bf16 in (("stock", False), ("stock in bf16", True))
        }
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: predict(
                classifier, sequences, padding, batch_size=EVALUATION_BATCH, precision=params.precision
            )
        }
        for name, trainer in trainers.items():
            trainer.args.per_device_eval_batch_size = EVALUATION_BATCH
            ways[name] = partial(trainer.predict, as_dataset(test))
        for way in ways.values():
            way()
        for _ in tqdm(range(repetitions), desc="evaluation"):
            for name, way in ways.items():
                speeds.setdefault(name, []).append(len(sequences) / seconds(way))
    return {
        "reviews_per_second": {name: spread(values) for name, values in speeds.items()},
        "ratio": {name: ratio(speeds["ours"], values) for name, values in speeds.items() if name != "ours"},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = ArgumentParser("gpu")
    parser.add_argument("--repetitions", type=int, default=5)
    repetitions = parser.parse_args(arguments).repetitions
    if not torch.cuda.is_available():
        raise UserError("torch sees no GPU here; for processors there is python -m benchmarks.speed")
    params = load_params()
    torch.set_num_threads(params.threads)
    transformers.logging.set_verbosity_error()
    train, test = (whole(split, params) for split in ("train", "test"))
    results: dict[str, Any] = {
        "commit": commit(),
        "machine": {
            "gpu": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "transformers": transformers.__version__,
        },
        "models": {},
    }
    configs = {params.model: AutoConfig.from_pretrained(PRETRAINED, local_files_only=True), "BERT-base": BertConfig()}
    for number, (name, config) in enumerate(configs.items()):
        with tempfile.TemporaryDirectory() as folder:
            model = pretrained(config, Path(folder, str(number)))
            figures = results["models"][name] = {}
            for work, measure, reviews in (("training", training, train), ("evaluation", evaluation, test)):
                figures[work] = measure(reviews, params, model, repetitions)
                write_json(RESULTS, results)


if __name__ == "__main__":
    run(main, "gpu")
