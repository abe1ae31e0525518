"""Tables of docs/training.md."""

from typing import Any

from report.results import read
from report.tables.markdown import accuracy_with_interval, parameters, table

CURVES = "benchmarks/learning_curves.json"
IMDB = "benchmarks/imdb.json"


def trial(change: dict[str, Any]) -> dict[str, Any]:
    """Return what the training with this change of the base gave."""
    (found,) = (trial for trial in read(CURVES)["trials"] if trial["change"] == change)
    return found


def trials() -> str:
    """Return what each change of the small setting gave, in the order of the parameters."""
    rows = [
        [
            parameters(found["change"]),
            f"{found['steps']:,}",
            f"{found['loss']['value'][-1]:.3f}",
            f"{found['log_loss']:.3f}",
            f"{found['accuracy']:.3f}",
        ]
        for found in sorted(read(CURVES)["trials"], key=lambda found: list(found["change"]))
    ]
    header = ["change", "steps", "loss on the training reviews, at the end", "log loss, validation"]
    return table([*header, "accuracy, validation"], *rows)


def training_reviews() -> str:
    """Return the accuracy of the model and of TF-IDF by the number of training reviews."""
    rows = [
        [f"{int(size):,}", str(found["epochs"])]
        + [f"{found[kind][name]['accuracy']:.3f}" for kind in ("validation", "others") for name in ("model", "tfidf")]
        for size, found in sorted(read(CURVES)["sizes"].items(), key=lambda item: int(item[0]))
    ]
    header = ["training reviews", "epochs", "films: fine-tuned", "films: TF-IDF", "other kinds: fine-tuned"]
    return table([*header, "other kinds: TF-IDF"], *rows)


def imdb() -> str:
    """Return what each recipe gave, in minutes and in accuracy, beside TF-IDF on the same reviews."""
    rows = [
        [
            name,
            f"{recipe['minutes']:.1f}, {recipe['arithmetic']}",
            f"{recipe['validation']['accuracy']:.3f}",
            accuracy_with_interval(recipe["tested"]["imdb-test"]),
            accuracy_with_interval(recipe["baseline"]["imdb-test"]),
            f"{recipe['tested']['others']:.3f}",
            f"{recipe['baseline']['others']:.3f}",
        ]
        for name, recipe in read(IMDB)["recipes"].items()
    ]
    header = ["", "minutes", "validation", "IMDB, test (95 %)", "TF-IDF", "mean of four others", "TF-IDF"]
    return table(header, *rows)


def other_reviews() -> str:
    """Return the accuracy on each of the other sets of reviews."""
    recipes = read(IMDB)["recipes"]
    names = [name for name in next(iter(recipes.values()))["tested"] if name not in {"imdb-test", "others"}]
    rows = [
        [title, *(accuracy_with_interval(recipe[who][name]) for name in names)]
        for recipe_name, recipe in recipes.items()
        for title, who in ((recipe_name, "tested"), (f"TF-IDF on the reviews of *{recipe_name}*", "baseline"))
    ]
    return table(["", *names], *rows)


FIGURES = {
    "trials": trials,
    "training-reviews": training_reviews,
    "imdb": imdb,
    "imdb-others": other_reviews,
}
