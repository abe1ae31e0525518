"""Figures of the trainings on IMDB, in docs/training.md."""

from functools import partial

from docs.figures.comparison import with_interval
from docs.figures.tables import if_measured, read, table

RESULTS = "benchmarks/imdb.json"
COMMAND = "python -m benchmarks.imdb FOLDER"


def imdb() -> str:
    """Return what each recipe gave, in minutes and in accuracy, TF-IDF last."""
    found = read(RESULTS)
    rows = [
        [
            name,
            f"{recipe['minutes']:.1f}",
            f"{recipe['validation']['accuracy']:.3f}",
            with_interval(recipe["tested"]["imdb-test"]),
            f"{recipe['tested']['others']:.3f}",
        ]
        for name, recipe in found["recipes"].items()
    ]
    baseline = found["baseline"]
    rows.append(["TF-IDF", "", "", with_interval(baseline["imdb-test"]), f"{baseline['others']:.3f}"])
    return table(["", "minutes", "validation", "IMDB, test (95 %)", "mean of four others"], *rows)


def other_reviews() -> str:
    """Return the accuracy on each of the other sets of reviews."""
    found = read(RESULTS)
    names = [name for name in found["baseline"] if name not in {"imdb-test", "others"}]
    tested = {name: recipe["tested"] for name, recipe in found["recipes"].items()} | {"TF-IDF": found["baseline"]}
    rows = [[who, *(with_interval(scores[name]) for name in names)] for who, scores in tested.items()]
    return table(["", *names], *rows)


FIGURES = {
    "imdb": partial(if_measured, imdb, RESULTS, COMMAND),
    "imdb-others": partial(if_measured, other_reviews, RESULTS, COMMAND),
}
