"""Write one page that shows the last run and the benchmarks: it needs neither network nor scripts.

Reads   metrics/, plots/, benchmarks/*.json, studies/*/trials.json, params.yaml, models/sentiment/provenance.json,
        data/predictions/errors.md, data/label_audit.csv
Writes  report/index.html

    python -m report                  (make report)
"""

import subprocess
from pathlib import Path

from report.page import page
from report.sections import sections
from sentiment.core.command import run
from sentiment.core.files import replacing
from sentiment.core.params import load_params

PAGE = Path("report/index.html")


def commit() -> str:
    """Return the short name of the commit, with a mark when files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    params = load_params()
    title = f"{params.model}, fine-tuned on {params.dataset}"
    origin = f"Sentiment of reviews, at commit {commit()}, seed {params.seed}."
    with replacing(PAGE) as file:
        file.write_text(page(sections(), title, origin), encoding="utf-8", newline="\n")
    print(PAGE)


if __name__ == "__main__":
    run(main, "report")
