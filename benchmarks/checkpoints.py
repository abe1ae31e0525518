"""Measure what checkpoints cost: their share of the default training's time.

Reads   params.yaml, data/tokenized/train.parquet, models/pretrained/
Writes  benchmarks/checkpoints.json    seconds per step and per checkpoint, bytes of one, and the share

    python -m benchmarks.checkpoints

Times a few steps and SAVES checkpoints; the share is what all checkpoints of the training take of its time.
"""

import math
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.recipes import ours
from benchmarks.timing import Stopwatch
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import map_parquet
from sentiment.model.reproducible import fix_bits
from sentiment.training.batches import LengthBucketSampler

RESULTS = Path("benchmarks/checkpoints.json")
STEPS = 20
SAVES = 3


def main() -> None:
    params = load_params()
    fix_bits(params)
    with tempfile.TemporaryDirectory(dir=".", suffix=".tmp") as name:
        folder = Path(name)
        train = map_parquet("data/tokenized/train.parquet", ["input_ids", "label"], folder / "train.arrow")
        trainer = ours(train, params, params.seed, folder)
        stopwatch = Stopwatch(trainer, STEPS)
        trainer.train()
        seconds_per_token = 1 / stopwatch.tokens_per_second()
        saves = []
        for _ in range(SAVES):
            started = time.perf_counter()
            trainer._save_checkpoint(trainer.model, trial=None)
            saves.append(time.perf_counter() - started)
        size = sum(path.stat().st_size for path in folder.glob("checkpoint-*/*"))
    tokens = sum(map(len, train["input_ids"].to_pylist())) * params.train.epochs
    checkpoints = math.ceil(params.train.epochs) * params.train.validations_per_epoch
    steps = len(LengthBucketSampler([1] * len(train), params.train.batch_size, 0).padded_tokens(params.train.epochs))
    write_json(
        RESULTS,
        {
            "seconds_per_step": tokens * seconds_per_token / steps,
            "steps": steps,
            "seconds_per_checkpoint": median(saves),
            "checkpoints": checkpoints,
            "bytes": size,
            "share": checkpoints * median(saves) / (tokens * seconds_per_token),
        },
    )
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, "checkpoints")
