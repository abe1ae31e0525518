"""Train once and as the average of several runs, and score on reviews of the same kind, of other kinds and real ones.

Reads   benchmarks/soups.yaml, the pipeline as committed, and the folder's parquet files (text, label) of REAL
Writes  benchmarks/soups.json    per variant: accuracy on the validation, the test and the cross datasets' reviews, and
                                 the mean of the real ones

    python -m benchmarks.soups FOLDER
    python -m benchmarks.soups FOLDER "three runs"    this variant only

The files are not part of this repository. Variants that are in soups.json already are not run again; delete it to start
anew.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.trials import Clone, choose, temporary_clone
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.schemas import read_yaml

VARIANTS = Path("benchmarks/soups.yaml")
RESULTS = Path("benchmarks/soups.json")
REAL = ("uci-yelp", "uci-amazon", "sst2-dev", "imdb-test")


def accuracies(checkout: Clone, crosses: list[str]) -> dict[str, Any]:
    """Return what a checkout's metrics say, by kind of reviews."""
    return {
        "validation": checkout.read("metrics/train.json")["validation"]["accuracy"],
        "test": checkout.read("metrics/evaluate.json")["accuracy"],
        "cross": {name: checkout.read(f"metrics/cross/{name}.json")["accuracy"] for name in crosses},
        "real": checkout.read("benchmarks/real_reviews.json")["mean_accuracy"]["model"],
    }


def train(clone: Clone, folder: Path) -> None:
    """Train and score as the clone's parameters say."""
    clone.reproduce("evaluate", "cross_dataset_evaluate")
    command = [sys.executable, "-m", "benchmarks.real_reviews", str(folder), *REAL]
    subprocess.run(command, cwd=clone.folder, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = ArgumentParser("soups")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help=f"variants of {VARIANTS}; all of them if none")
    arguments = parser.parse_args()
    for file in (arguments.folder / f"{name}.parquet" for name in REAL):
        if not file.is_file():
            raise UserError(f"{file} is missing: give a folder that has it")
    plan = read_yaml(VARIANTS)
    variants = choose(plan["variants"], arguments.names, VARIANTS)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    due = {name: change for name, change in variants.items() if name not in results}
    with temporary_clone() as clone:
        for name, change in tqdm(due.items(), desc="soups"):
            clone.set(plan["base"] | change)
            train(clone, arguments.folder.resolve())
            results[name] = accuracies(clone, plan["base"]["cross_datasets"])
            write_json(RESULTS, results)
            print(f"{name}: {results[name]}")


if __name__ == "__main__":
    run(main, "soups")
