"""Figures of README.md: results, and the pipeline's graph."""

import subprocess
from pathlib import Path
from typing import Any

from docs.figures.tables import read
from sentiment.params import load_params


def row(name: str, figures: dict[str, Any], baseline: dict[str, Any] | None) -> str:
    interval = f"{figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f}"
    rival = f"{baseline['accuracy']:.3f}" if baseline else ""
    return f"| {name} | {figures['n']:,} | **{figures['accuracy']:.3f}** | {interval} | {rival} |"


HEADER = ["| reviews | number | accuracy | 95 % interval | TF-IDF |", "|---|---|---|---|---|"]


def results() -> str:
    """Return the default's accuracy on its test reviews and on each cross dataset, and what other seeds make of it."""
    rows = [row(f"{load_params().dataset} (test)", read("metrics/evaluate.json"), read("metrics/baseline.json"))]
    rows += [row(name, read(f"metrics/cross/{name}.json"), None) for name in load_params().cross_datasets]
    lines = [*HEADER, *rows]
    if Path("benchmarks/seeds.json").exists():
        seeds = read("benchmarks/seeds.json")
        spread = [seeds["summary"][name]["accuracy"] for name in ("test", *load_params().cross_datasets)]
        columns = [f"{len(seeds['seeds'])} other seeds", "---", *(f"{s['mean']:.3f} ± {s['sd']:.3f}" for s in spread)]
        lines = [f"{line} {column} |" for line, column in zip(lines, columns, strict=True)]
    return "\n".join(lines)


def real_reviews() -> str:
    """Return the default's accuracy on real reviews, and their mean."""
    measured = read("benchmarks/real_reviews.json")
    rows = [row(name, figures["model"], figures["baseline"]) for name, figures in measured["files"].items()]
    means = measured["mean_accuracy"]
    return "\n".join([*HEADER, *rows, f"| mean | | **{means['model']:.3f}** | | {means['baseline']:.3f} |"])


def dag() -> str:
    """Return the pipeline's graph as DVC draws it."""
    command = ["dvc", "dag", "--md", "--collapse-foreach-matrix"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


FIGURES = {"results": results, "real-reviews": real_reviews, "dag": dag}
