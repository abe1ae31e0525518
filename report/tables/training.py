"""Tables of docs/training.md."""

from typing import Any

from report.results import read, rival
from report.tables.markdown import accuracy_with_interval, lead, parameters, table

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
    """Return the accuracy of the model, its strongest cheap rival and SetFit by the number of training reviews."""
    rows = [
        [f"{int(size):,}", str(found["epochs"]), rival(found)]
        + [
            f"{found[kind][name]['accuracy']:.3f}" if name in found[kind] else ""
            for kind in ("validation", "others")
            for name in ("model", "baseline", "setfit")
        ]
        for size, found in sorted(read(CURVES)["sizes"].items(), key=lambda item: int(item[0]))
    ]
    classifiers = ("fine-tuned", "rival", "SetFit")
    columns = [f"{kind}: {name}" for kind in ("films", "other kinds") for name in classifiers]
    return table(["training reviews", "epochs", "strongest cheap rival", *columns], *rows)


def imdb() -> str:
    """Return what each recipe gave, in minutes and in accuracy, beside its strongest cheap rival."""
    rows = [
        [
            name,
            f"{recipe['minutes']:.1f}, {recipe['arithmetic']}",
            f"{recipe['validation']['accuracy']:.3f}",
            accuracy_with_interval(recipe["tested"]["imdb-test"]),
            rival(recipe["baseline"]),
            accuracy_with_interval(recipe["baseline"]["imdb-test"]),
            lead(recipe["lead"]) if "lead" in recipe else "",
            f"{recipe['tested']['others']:.3f}",
            f"{recipe['baseline']['others']:.3f}",
        ]
        for name, recipe in read(IMDB)["recipes"].items()
    ]
    header = ["", "minutes", "validation", "IMDB, test (95 %)", "strongest cheap rival", "IMDB: rival"]
    header += ["points ahead (95 %)"]
    return table([*header, "mean of four others", "others: rival"], *rows)


def other_reviews() -> str:
    """Return the accuracy on each of the other sets of reviews."""
    recipes = read(IMDB)["recipes"]
    names = [name for name in next(iter(recipes.values()))["tested"] if name not in {"imdb-test", "others"}]
    rows = [
        [title, *(accuracy_with_interval(recipe[who][name]) for name in names)]
        for recipe_name, recipe in recipes.items()
        for title, who in (
            (recipe_name, "tested"),
            (f"{rival(recipe['baseline'])} on the reviews of *{recipe_name}*", "baseline"),
        )
    ]
    return table(["", *names], *rows)


FIGURES = {
    "trials": trials,
    "training-reviews": training_reviews,
    "imdb": imdb,
    "imdb-others": other_reviews,
}
