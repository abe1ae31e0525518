"""Figures of the sweeps, in docs/tuning.md and docs/training.md."""

from functools import partial
from statistics import mean

from docs.figures.tables import if_measured, read

IMDB, PLAN = "benchmarks/imdb_sweep.json", "benchmarks/imdb_sweep.yaml"
STEPS, STEPS_PLAN = "benchmarks/sweep_steps.json", "benchmarks/sweep_steps.yaml"


def sweep(file: str) -> str:
    """Return the trials of a sweep, best mean log loss first."""
    rows = []
    for trial in read(file)["trials"]:
        log_loss, accuracy = (mean(run[key] for run in trial["seeds"].values()) for key in ("log_loss", "accuracy"))
        change = ", ".join(f"`{key}: {value}`" for key, value in trial["change"].items()) or "none"
        rows.append((log_loss, f"| {change} | {log_loss:.3f} | {accuracy:.3f} | {len(trial['seeds'])} |"))
    return "\n".join(
        ["| change | log loss | accuracy | seeds |", "|---|---|---|---|", *(line for _, line in sorted(rows))]
    )


FIGURES = {
    "sweep": partial(sweep, "benchmarks/sweep.json"),
    "sweep-steps": partial(if_measured, partial(sweep, STEPS), STEPS, f"python -m benchmarks.sweep {STEPS_PLAN}"),
    "imdb-sweep": partial(if_measured, partial(sweep, IMDB), IMDB, f"python -m benchmarks.sweep {PLAN} FOLDER"),
    "sweep-without-averaging": partial(sweep, "benchmarks/sweep_without_averaging.json"),
}
