"""Try parameters on validation reviews: how the defaults of params.yaml were chosen, and how recipes for IMDB compare.

Reads   benchmarks/sweep.yaml or another plan, the pipeline as committed
Writes  benchmarks/sweep.json, or beside the other plan: accuracy and log loss on the validation reviews, per trial and
        seed

    python -m benchmarks.sweep
    python -m benchmarks.sweep benchmarks/imdb_sweep.yaml FOLDER    FOLDER has the files that benchmarks.imdb reads

Trials that are in the results already are not run again; delete those to start anew.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.imdb import know
from benchmarks.trials import Clone, temporary_clone
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.schemas import read_yaml

PLAN = Path("benchmarks/sweep.yaml")


def trial(clone: Clone, overrides: dict[str, Any]) -> dict[str, float]:
    """Train in the clone with the overrides (dotted key: value) and return its validation metrics."""
    clone.set(overrides)
    clone.reproduce("train")
    return clone.read("metrics/train.json")["validation"]


def main() -> None:
    parser = ArgumentParser("sweep")
    parser.add_argument("plan", nargs="?", type=Path, default=PLAN)
    parser.add_argument("folder", nargs="?", type=Path, help="of reviews that the catalog's imdb is made of")
    arguments = parser.parse_args()
    plan, file = read_yaml(arguments.plan), arguments.plan.with_suffix(".json")
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"base": plan["base"], "trials": []}
    if results["base"] != plan["base"]:
        raise UserError(f"{file} was measured with another base than that of {arguments.plan}: delete it to start anew")
    known = {json.dumps(result["change"], sort_keys=True): result for result in results["trials"]}
    with temporary_clone() as clone:
        if arguments.folder:
            know(clone, arguments.folder.resolve())
        runs = [(seed, change) for seed in plan["seeds"] for change in plan["trials"]]
        for seed, change in tqdm(runs, desc="trials"):
            result = known.setdefault(json.dumps(change, sort_keys=True), {"change": change, "seeds": {}})
            if str(seed) not in result["seeds"]:
                result["seeds"][str(seed)] = trial(clone, {**plan["base"], **change, "seed": seed})
                write_json(file, {"base": plan["base"], "trials": list(known.values())})


if __name__ == "__main__":
    run(main, "sweep")
