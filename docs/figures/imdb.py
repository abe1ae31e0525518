"""Figures of the trainings on IMDB, in docs/training.md."""

from functools import partial

from docs.figures.comparison import with_interval
from docs.figures.tables import if_measured, read, table

RESULTS = "benchmarks/imdb.json"
COMMAND = "python -m benchmarks.imdb FOLDER"


def imdb() -> str:
    """Return what each recipe gave, in minutes and in accuracy, beside TF-IDF on the same reviews."""
    rows = [
        [
            name,
            f"{recipe['minutes']:.1f}, {recipe['arithmetic']}",
            f"{recipe['validation']['accuracy']:.3f}",
            with_interval(recipe["tested"]["imdb-test"]),
            with_interval(recipe["baseline"]["imdb-test"]),
            f"{recipe['tested']['others']:.3f}",
            f"{recipe['baseline']['others']:.3f}",
        ]
        for name, recipe in read(RESULTS)["recipes"].items()
    ]
    header = ["", "minutes", "validation", "IMDB, test (95 %)", "TF-IDF", "mean of four others", "TF-IDF"]
    return table(header, *rows)


def other_reviews() -> str:
    """Return the accuracy on each of the other sets of reviews."""
    recipes = read(RESULTS)["recipes"]
    names = [name for name in next(iter(recipes.values()))["tested"] if name not in {"imdb-test", "others"}]
    rows = [
        [title, *(with_interval(recipe[who][name]) for name in names)]
        for recipe_name, recipe in recipes.items()
        for title, who in ((recipe_name, "tested"), (f"TF-IDF on the reviews of *{recipe_name}*", "baseline"))
    ]
    return table(["", *names], *rows)


FIGURES = {
    "imdb": partial(if_measured, imdb, RESULTS, COMMAND),
    "imdb-others": partial(if_measured, other_reviews, RESULTS, COMMAND),
}
