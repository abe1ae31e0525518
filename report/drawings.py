"""Draw the plots of docs/training.md and docs/evaluation.md whose benchmarks have been run.

Reads   benchmarks/{learning_curves,models,transfer}.json
Writes  docs/images/{learning_rates,over_fitting,training_reviews,models,transfer}.svg

    python -m report.drawings    (make figures)
"""

from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from report.charts import models_chart, transfer_chart
from report.results import NotMeasuredError, read
from report.tables.training import CURVES, trial
from report.vega import svg
from sentiment.core.command import run
from sentiment.core.files import replacing

IMAGES = Path("docs/images")
INK = "#777"
"""Legible on white as well as on black."""
EPOCHS = 12
CHANCE = 0.693
"""Log loss of one who says 0.5 to every review: ln 2."""

# Text stays text, and equal figures give equal bytes.
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "sentiment", "font.size": 9, "axes.grid": True}
mpl.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "grid.alpha": 0.3, "legend.frameon": False}


def panels(titles: list[str], xlabel: str) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = list(figure.subplots(1, len(titles)))
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title)
        axis.set_xlabel(xlabel)
    return figure, axes


def line(axis: Axes, curve: dict[str, list[float]], label: str, per: float = 1, **style: Any) -> None:
    axis.plot([step / per for step in curve["step"]], curve["value"], label=label, **style)


def learning_rates() -> Figure:
    """Draw the loss while training, and that on the validation reviews, for a rate too low, right and too high."""
    titles = ["loss on the training reviews", "log loss on the validation reviews"]
    figure, (training, validation) = panels(titles, "step")
    for change, label in (
        ({"train.lr": 2e-6}, "2e-6: too low"),
        ({}, "1e-4: right"),
        ({"train.lr": 1e-3}, "1e-3: too high"),
        ({"train.lr": 3e-3}, "3e-3: far too high"),
    ):
        found = trial(change)
        line(training, found["loss"], label)
        line(validation, found["validation_log_loss"], label, marker="o", markersize=3)
    for axis in (training, validation):
        axis.axhline(CHANCE, color="grey", linestyle=":", linewidth=1)
        axis.set_ylim(0, 1)
    training.legend()
    return figure


def over_fitting() -> Figure:
    """Draw training loss and validation log loss, and the validation accuracy, over many epochs."""
    found = trial({"train.epochs": EPOCHS, "train.validations_per_epoch": 1})
    figure, (loss, accuracy) = panels(["loss", "accuracy on the validation reviews"], "epoch")
    per_epoch = found["steps"] / EPOCHS
    line(loss, found["loss"], "training reviews", per_epoch)
    line(loss, found["validation_log_loss"], "validation reviews", per_epoch, marker="o", markersize=3)
    line(accuracy, found["validation_accuracy"], "", per_epoch, marker="o", markersize=3, color="C1")
    loss.set_ylim(0, 0.8)
    loss.legend()
    accuracy.set_ylim(0.8, 1)
    return figure


def training_reviews() -> Figure:
    """Draw the accuracy of the model and of TF-IDF against the number of training reviews, with their intervals."""
    sizes = read(CURVES)["sizes"]
    numbers = sorted(map(int, sizes))
    figure, axes = panels(["films, as in training", "books, restaurants, products, travel"], "training reviews")
    for axis, kind in zip(axes, ("validation", "others"), strict=True):
        for name, label in (("model", "fine-tuned"), ("tfidf", "TF-IDF")):
            found = [sizes[str(number)][kind][name] for number in numbers]
            axis.plot(numbers, [figures["accuracy"] for figures in found], marker="o", markersize=3, label=label)
            low, high = ([figures[f"accuracy_{end}"] for figures in found] for end in ("low", "high"))
            axis.fill_between(numbers, low, high, alpha=0.15)
        axis.set_xscale("log")
        axis.set_xticks(numbers)
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_ylim(0.5, 1)
    axes[0].set_ylabel("accuracy")
    axes[0].legend(loc="lower right")
    return figure


PLOTS = {"learning_rates": learning_rates, "over_fitting": over_fitting, "training_reviews": training_reviews}
CHARTS = {"models": models_chart, "transfer": transfer_chart}


def plot_as_svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def draw(folder: Path) -> None:
    """Draw all plots and charts into the folder, but for those whose benchmark has not been run."""
    for name in (*PLOTS, *CHARTS):
        with suppress(NotMeasuredError), replacing(folder / f"{name}.svg") as file:
            text = plot_as_svg(PLOTS[name]()) if name in PLOTS else svg(CHARTS[name](), "c", INK)
            file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(lambda: draw(IMAGES), "drawings")
