"""Train a few steps on a table of encoded reviews, as the train stage does, and print the speed in tokens/s.

Reads   the named table, params.yaml, models/pretrained/

    python -m benchmarks.growth TABLE.parquet STEPS
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.recipes import ours
from benchmarks.timing import Stopwatch
from sentiment.core.params import load_params
from sentiment.core.parquet import map_parquet
from sentiment.model.reproducible import fix_bits


def main() -> None:
    params = load_params()
    fix_bits(params)
    with tempfile.TemporaryDirectory() as output:
        train = map_parquet(sys.argv[1], ["input_ids", "label"], Path(output, "train.arrow"))
        trainer = ours(train, params, params.seed, Path(output))
        stopwatch = Stopwatch(trainer, int(sys.argv[2]))
        trainer.train()
    print(stopwatch.tokens_per_second())


if __name__ == "__main__":
    main()
