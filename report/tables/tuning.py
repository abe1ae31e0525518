"""Tables of docs/tuning.md, and of the sweep on IMDB in docs/training.md."""

from functools import partial
from statistics import mean

from report.results import read
from report.tables.markdown import parameters, table


def sweep(file: str, *, styles: bool = False) -> str:
    """Return the trials of a sweep, best mean log loss first; with `styles`, how they do by style of review too."""
    rows = []
    for trial in read(file)["trials"]:
        runs = trial["seeds"].values()
        figures = [mean(run[key] for run in runs) for key in ("log_loss", "accuracy")]
        if styles:
            by_style = [run["accuracy_by_style"] for run in runs]
            figures += [mean(mean(found.values()) for found in by_style), mean(found["negation"] for found in by_style)]
        rows.append((figures, [parameters(trial["change"]), *(f"{figure:.3f}" for figure in figures), str(len(runs))]))
    header = ["change", "log loss", "accuracy", *(["styles, mean", "negation"] if styles else []), "seeds"]
    return table(header, *(row for _, row in sorted(rows)))


FIGURES = {
    "sweep": partial(sweep, "benchmarks/sweep.json", styles=True),
    "sweep-films": partial(sweep, "benchmarks/sweep_films.json"),
    "sweep-steps": partial(sweep, "benchmarks/sweep_steps.json"),
    "imdb-sweep": partial(sweep, "benchmarks/imdb_sweep.json"),
    "sweep-without-averaging": partial(sweep, "benchmarks/sweep_without_averaging.json"),
}
