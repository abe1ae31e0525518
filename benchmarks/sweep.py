"""Try parameters by validation: how the defaults of params.yaml were chosen.

Reads   benchmarks/sweep.yaml, the pipeline as committed
Writes  benchmarks/sweep.json    accuracy and log loss on the validation reviews, per trial and seed
        docs/tuning.md           the table of the same figures

    python -m benchmarks.sweep

Trials that sweep.json has already are not run again; delete it to start anew.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from ruamel.yaml import YAML
from tqdm import tqdm

from sentiment.files import replacing, write_json
from sentiment.params import read_yaml

TRIALS = Path("benchmarks/sweep.yaml")
RESULTS = Path("benchmarks/sweep.json")
DOCUMENT = Path("docs/tuning.md")
BEGIN, END = "<!-- sweep -->", "<!-- end of sweep -->"


def run(clone: Path, overrides: dict[str, Any]) -> dict[str, float]:
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
    subprocess.run(["dvc", "repro", "--quiet", "train"], cwd=clone, env=environment, check=True)  # noqa: S607
    return json.loads((clone / "metrics/train.json").read_text())["validation"]


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as a Markdown table, best mean log loss first."""
    rows = []
    for result in results:
        log_loss = mean(figures["log_loss"] for figures in result["seeds"].values())
        accuracy = mean(figures["accuracy"] for figures in result["seeds"].values())
        change = ", ".join(f"`{key}: {value}`" for key, value in result["change"].items()) or "none"
        rows.append((log_loss, f"| {change} | {log_loss:.3f} | {accuracy:.3f} |"))
    header = ["| change | log loss | accuracy |", "|---|---|---|"]
    return "\n".join([*header, *(row for _, row in sorted(rows))])


def main() -> None:
    plan = read_yaml(TRIALS)
    results: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    known = {json.dumps(result["change"], sort_keys=True): result for result in results}
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)  # noqa: S603, S607
        subprocess.run(["dvc", "cache", "dir", "--local", str(Path(".dvc/cache").absolute())], cwd=clone, check=True)  # noqa: S603, S607
        for change in tqdm(plan["trials"], desc="trials"):
            result = known.setdefault(json.dumps(change, sort_keys=True), {"change": change, "seeds": {}})
            for seed in plan["seeds"]:
                if str(seed) not in result["seeds"]:
                    result["seeds"][str(seed)] = run(clone, {**plan["base"], **change, "seed": seed})
                    write_json(RESULTS, list(known.values()))
        shutil.rmtree(clone)
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    with replacing(DOCUMENT) as file:
        file.write_text(f"{before}{BEGIN}\n{table(list(known.values()))}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
