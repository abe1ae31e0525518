"""Figures of docs/training.md."""

from functools import partial
from statistics import mean
from typing import Any

from benchmarks.soups import DEFAULT
from docs.figures.tables import if_measured, read, table

CURVES = "benchmarks/learning_curves.json"
SOUPS = "benchmarks/soups.json"
PLAIN = ("books", "restaurants", "products", "travel")


def trial(change: dict[str, Any]) -> dict[str, Any]:
    """Return what the training with this change of the base gave."""
    (found,) = (trial for trial in read(CURVES)["trials"] if trial["change"] == change)
    return found


def trials() -> str:
    """Return what each change of the small setting gave, in the order of the parameters."""
    rows = [
        [
            ", ".join(f"`{key}: {value}`" for key, value in found["change"].items()) or "none",
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


def soups() -> str:
    """Return the accuracies of the default, which is one run, and of averages of several."""
    found = read(SOUPS)
    order = sorted(found, key=lambda name: name != DEFAULT)
    rows = [
        [
            name,
            *(f"{found[name][kind]:.3f}" for kind in ("validation", "test")),
            f"{mean(found[name]['cross'][kind] for kind in PLAIN):.3f}",
            *(f"{found[name]['cross'][kind]:.3f}" for kind in ("films_mixed", "tricky")),
            f"{found[name]['real']:.3f}",
        ]
        for name in order
    ]
    header = ["", "validation", "films, test", "four other kinds", "films_mixed", "tricky", "real reviews, four sets"]
    return table(header, *rows)


FIGURES = {
    "trials": trials,
    "training-reviews": training_reviews,
    "soups": partial(if_measured, soups, SOUPS, "python -m benchmarks.soups FOLDER"),
}
