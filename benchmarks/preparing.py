"""Prepare millions of reviews for a training: `subsample` all of them, then `tokenize` them whole and in three parts.

Reads   models/pretrained/
Writes  benchmarks/preparing.json    of both stages: seconds, reviews per second, peak memory of all processes together

    python -m benchmarks.preparing FOLDER [--rows 3600000]

HELD_OUT reviews each are for validation and test, as the stages hold those in memory. The files are written into
FOLDER, which needs about eight times the size of the table (1.3 GB for 3.6 million rows).
"""

import shutil

from benchmarks.large_table import ROOT, asked, measure, set_up
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.workers import cores

RESULTS = ROOT / "benchmarks/preparing.json"
HELD_OUT = 10_000
PARTS = [1, 3]


def main() -> None:
    folder, rows = asked("preparing")
    held_out = {"test_share": HELD_OUT / rows, "validation_share": HELD_OUT / rows}
    set_up(folder, rows, subsample=held_out, tokenize={"parts": PARTS})
    shutil.copytree("models/pretrained", folder / "models/pretrained", dirs_exist_ok=True)

    found = {stage: measure("-m", f"stages.{stage}", folder=folder, rows=rows) for stage in ("subsample", "tokenize")}
    write_json(RESULTS, {"rows": rows, "held_out": HELD_OUT, "parts": PARTS, "cores": cores()} | found)
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, "preparing")
