"""Try parameters by validation: how the defaults of params.yaml were chosen.

Reads   benchmarks/sweep.yaml, the pipeline as committed
Writes  benchmarks/sweep.json    accuracy and log loss on the validation reviews, per trial and seed

    python -m benchmarks.sweep

Trials that sweep.json has already are not run again; delete it to start anew.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tqdm import tqdm

from sentiment.command import run
from sentiment.errors import UserError
from sentiment.files import write_json
from sentiment.params import read_yaml

TRIALS = Path("benchmarks/sweep.yaml")
RESULTS = Path("benchmarks/sweep.json")


def trial(clone: Path, overrides: dict[str, Any]) -> dict[str, float]:
    """Train in the clone with the overrides (dotted key: value) and return its validation metrics."""
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    for key, value in overrides.items():
        *sections, name = key.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[name] = value
    yaml.dump(params, clone / "params.yaml")
    environment = os.environ | {"SENTIMENT_CHECKPOINT_DIR": str(Path("checkpoints").absolute())}
    subprocess.run(["dvc", "repro", "--quiet", "train"], cwd=clone, env=environment, check=True)
    return json.loads((clone / "metrics/train.json").read_text())["validation"]


def main() -> None:
    plan = read_yaml(TRIALS)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"base": plan["base"], "trials": []}
    if results["base"] != plan["base"]:
        raise UserError(f"{RESULTS} was measured with another base than that of {TRIALS}: delete it to start anew")
    known = {json.dumps(result["change"], sort_keys=True): result for result in results["trials"]}
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
        subprocess.run(["dvc", "cache", "dir", "--local", str(Path(".dvc/cache").absolute())], cwd=clone, check=True)
        runs = [(seed, change) for seed in plan["seeds"] for change in plan["trials"]]
        for seed, change in tqdm(runs, desc="trials"):
            result = known.setdefault(json.dumps(change, sort_keys=True), {"change": change, "seeds": {}})
            if str(seed) not in result["seeds"]:
                result["seeds"][str(seed)] = trial(clone, {**plan["base"], **change, "seed": seed})
                write_json(RESULTS, {"base": plan["base"], "trials": list(known.values())})


if __name__ == "__main__":
    run(main, "sweep")
