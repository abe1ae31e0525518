"""Try parameters by validation: how the defaults of params.yaml were chosen.

Reads   benchmarks/sweep.yaml, the pipeline as committed
Writes  benchmarks/sweep.json    accuracy and log loss on the validation reviews, per trial and seed

    python -m benchmarks.sweep

Trials that sweep.json has already are not run again; delete it to start anew.
"""

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.trials import Clone, cloned
from sentiment.command import run
from sentiment.errors import UserError
from sentiment.files import write_json
from sentiment.schemas import read_yaml

TRIALS = Path("benchmarks/sweep.yaml")
RESULTS = Path("benchmarks/sweep.json")


def trial(clone: Clone, overrides: dict[str, Any]) -> dict[str, float]:
    """Train in the clone with the overrides (dotted key: value) and return its validation metrics."""
    clone.set(overrides)
    clone.reproduce("train")
    return clone.read("metrics/train.json")["validation"]


def main() -> None:
    plan = read_yaml(TRIALS)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"base": plan["base"], "trials": []}
    if results["base"] != plan["base"]:
        raise UserError(f"{RESULTS} was measured with another base than that of {TRIALS}: delete it to start anew")
    known = {json.dumps(result["change"], sort_keys=True): result for result in results["trials"]}
    with cloned() as clone:
        runs = [(seed, change) for seed in plan["seeds"] for change in plan["trials"]]
        for seed, change in tqdm(runs, desc="trials"):
            result = known.setdefault(json.dumps(change, sort_keys=True), {"change": change, "seeds": {}})
            if str(seed) not in result["seeds"]:
                result["seeds"][str(seed)] = trial(clone, {**plan["base"], **change, "seed": seed})
                write_json(RESULTS, {"base": plan["base"], "trials": list(known.values())})


if __name__ == "__main__":
    run(main, "sweep")
