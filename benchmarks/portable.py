"""Measure what portable bits cost: training with `precision: portable`, as it comes, and as it comes but in fp32.

Reads   params.yaml, data/tokenized/train.parquet, models/pretrained/
Writes  benchmarks/portable.json    speed of each in tokens/s, and how many times slower portable is than either

    python -m benchmarks.portable
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML
from tqdm import tqdm

from benchmarks.timing import ratio, spread
from sentiment.core.command import run
from sentiment.core.files import write_json

RESULTS = Path("benchmarks/portable.json")
REPETITIONS = 3
STEPS = 10
VARIANTS = {"default": "auto", "fp32": "fp32", "portable": "portable"}


def speed(variant: str, folder: Path) -> float:
    """Return the tokens per second of some steps in a fresh process, whose params.yaml is that of the variant."""
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["precision"] = VARIANTS[variant]
    yaml.dump(params, folder / "params.yaml")
    command = [sys.executable, "-m", "benchmarks.growth", "data/tokenized/train.parquet", str(STEPS)]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    speeds: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as name:
        for part in ("data", "models"):
            Path(name, part).symlink_to(Path(part).resolve())
        for _ in tqdm(range(REPETITIONS), unit="repetition"):
            for variant, found in speeds.items():
                found.append(speed(variant, Path(name)))
    write_json(
        RESULTS,
        {
            "tokens_per_second": {variant: spread(found) for variant, found in speeds.items()},
            "times_slower_than": {
                variant: ratio(speeds[variant], speeds["portable"]) for variant in ("default", "fp32")
            },
        },
    )
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, "portable")
