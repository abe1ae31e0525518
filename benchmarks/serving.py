"""Compare the exported model with transformers' pipeline on the model as trained: speed, start-up, memory.

Reads   models/sentiment/, models/exported/, data/subsampled/test.parquet
Writes  into benchmarks/speeds/KIND.json (see speed.py), as `serving`, of each: milliseconds for one short review
        (median), reviews per second of many, seconds from the start of the process to the first answer, peak memory;
        and how many times as fast the exported model is

    python -m benchmarks.serving [KIND]

Both run with params.yaml's `threads`. They take turns, each turn in a fresh process; figures are medians over turns,
ratios are taken within each turn. The pipeline's batches have the size that is fastest for it.
"""

import json
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params, load_preprocessing
from sentiment.core.parquet import read_parquet

TRAINED = Path("models/sentiment")
EXPORTED = Path("models/exported")
TEST = Path("data/subsampled/test.parquet")
SHORT = "A joy from start to finish."
REPEATS = 100
REVIEWS = 128
BATCH_SIZES = (1, 8, 32)
TURNS = 9
CONTENDERS = ("pipeline", "predictor")

Predict = Callable[[list[str]], Any]


def pipeline(threads: int) -> dict[str, Predict]:
    """Return, by batch size, functions that label texts as a user of transformers would."""
    import torch
    import transformers

    from sentiment.model.loading import load
    from sentiment.text.encoding import load_tokenizer

    torch.set_num_threads(threads)
    tokenizer = load_tokenizer(TRAINED)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    classify = transformers.pipeline("text-classification", model=load(TRAINED), tokenizer=tokenizer, device="cpu")
    cut = {"truncation": True, "max_length": load_preprocessing(TRAINED).tokenize.max_length}
    return {str(size): partial(classify, batch_size=size, **cut) for size in BATCH_SIZES}


def predictor(threads: int) -> dict[str, Predict]:
    from sentiment.serving.predictor import Predictor

    return {"": Predictor(EXPORTED, threads).predict}


def seconds(predict: Predict, texts: list[str]) -> float:
    started = time.perf_counter()
    predict(texts)
    return time.perf_counter() - started


def turn(contender: str, started: float) -> dict[str, float]:
    """Measure one contender in this process, which began at `started`, a time of time.time()."""
    predicts = {"pipeline": pipeline, "predictor": predictor}[contender](load_params().threads)
    first = next(iter(predicts.values()))
    first([SHORT])
    start_up = time.time() - started
    texts = read_parquet(TEST, ["text"])["text"].to_pylist()[:REVIEWS]
    single = median(seconds(first, [SHORT]) for _ in range(REPEATS))
    rates = {size: len(texts) / seconds(predict, texts) for size, predict in predicts.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "single_ms": 1000 * single,
        "reviews_per_second": max(rates.values()),
        "start_up_s": start_up,
        # Linux counts kilobytes, macOS bytes.
        "memory_mb": peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6,
    }


def ratios(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return how many times as fast we are for one review and for many: the ratios within each turn."""
    # It brings torch, which a turn of ours must not have in its memory.
    from benchmarks.timing import spread

    turns = list(zip(ours, theirs, strict=True))
    return {
        "single": spread([their["single_ms"] / our["single_ms"] for our, their in turns]),
        "batch": spread([our["reviews_per_second"] / their["reviews_per_second"] for our, their in turns]),
    }


def main() -> None:
    parser = ArgumentParser("serving")
    parser.add_argument("kind", nargs="?", help="of the processor: amx, avx512_bf16 or fp32")
    parser.add_argument("--turn", nargs=2, metavar=("CONTENDER", "STARTED"), help="one turn, for this script's own use")
    arguments = parser.parse_args()
    if arguments.turn:
        print(json.dumps(turn(arguments.turn[0], float(arguments.turn[1]))), flush=True)
        return
    from benchmarks.timing import commit, speeds_file

    file = speeds_file(arguments.kind)
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for name in tqdm(CONTENDERS * TURNS, desc="turns"):
        command = [sys.executable, "-m", "benchmarks.serving", "--turn", name, str(time.time())]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        turns[name].append(json.loads(done.stdout.splitlines()[0]))
    figures: dict[str, Any] = {
        name: {key: median(one[key] for one in results) for key in results[0]} for name, results in turns.items()
    }
    figures |= {"times_as_fast": ratios(turns["predictor"], turns["pipeline"]), "threads": load_params().threads}
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    results["serving"] = figures
    results["commits"] = results.get("commits", {}) | {"serving": commit()}
    write_json(file, results)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    run(main, "serving")
