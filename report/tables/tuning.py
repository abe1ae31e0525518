"""Tables of docs/tuning.md, and of the sweep on IMDB in docs/training.md."""

from functools import partial
from statistics import mean

from report.results import read
from report.tables.markdown import parameters, table


def sweep(file: str) -> str:
    """Return the trials of a sweep, best mean log loss first."""
    rows = []
    for trial in read(file)["trials"]:
        log_loss, accuracy = (mean(run[key] for run in trial["seeds"].values()) for key in ("log_loss", "accuracy"))
        row = [parameters(trial["change"]), f"{log_loss:.3f}", f"{accuracy:.3f}", str(len(trial["seeds"]))]
        rows.append((log_loss, row))
    return table(["change", "log loss", "accuracy", "seeds"], *(row for _, row in sorted(rows)))


FIGURES = {
    "sweep": partial(sweep, "benchmarks/sweep.json"),
    "sweep-steps": partial(sweep, "benchmarks/sweep_steps.json"),
    "imdb-sweep": partial(sweep, "benchmarks/imdb_sweep.json"),
    "sweep-without-averaging": partial(sweep, "benchmarks/sweep_without_averaging.json"),
}
