"""Prepare millions of reviews for a training: `subsample` all of them, then `tokenize` them whole and in three parts.

Reads   models/pretrained/
Writes  benchmarks/preparing.json    of both stages: seconds, reviews per second, peak memory of all processes together

    python -m benchmarks.preparing FOLDER [--rows 3600000]

HELD_OUT reviews each are for validation and test, as the stages hold those in memory. The files are written into
FOLDER, which needs about eight times the size of the table (1.3 GB for 3.6 million rows).
"""

import shutil
from argparse import ArgumentParser
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.large_table import ROOT, make_elsewhere, measure
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.workers import cores

RESULTS = ROOT / "benchmarks/preparing.json"
HELD_OUT = 10_000
PARTS = [1, 3]


def main() -> None:
    parser = ArgumentParser("preparing")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=3_600_000)
    arguments = parser.parse_args()
    folder, rows = arguments.folder.resolve(), arguments.rows
    make_elsewhere(folder, rows)
    shutil.copytree("models/pretrained", folder / "models/pretrained", dirs_exist_ok=True)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["subsample"] |= {"test_share": HELD_OUT / rows, "validation_share": HELD_OUT / rows}
    params["tokenize"] |= {"parts": PARTS}
    yaml.dump(params, folder / "params.yaml")

    found = {stage: measure("-m", f"stages.{stage}", folder=folder, rows=rows) for stage in ("subsample", "tokenize")}
    write_json(RESULTS, {"rows": rows, "held_out": HELD_OUT, "parts": PARTS, "cores": cores()} | found)
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, "preparing")
