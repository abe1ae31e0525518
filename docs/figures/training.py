"""Figures of docs/training.md."""

from typing import Any

from docs.figures.tables import read, table

CURVES = "benchmarks/learning_curves.json"


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


FIGURES = {"trials": trials, "training-reviews": training_reviews}
