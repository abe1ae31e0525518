"""Draw the charts of docs/training.md and docs/evaluation.md whose benchmarks have been run.

Reads   benchmarks/{learning_curves,models,transfer}.json
Writes  docs/images/{learning_rates,over_fitting,training_reviews,models,transfer}.svg

    python -m report.drawings    (make figures)
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from report.charts import Spec, models_chart, transfer_chart
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
"""Log loss of saying 0.5 to every review: ln 2."""
BAND = {"mark": {"type": "area", "opacity": 0.15}, "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}}}
LINE = {"mark": {"type": "line", "clip": True}}
POINTS = {"mark": {"type": "point", "filled": True, "size": 20, "opacity": 1, "clip": True}}
RULE = {
    "data": {"values": [{"y": CHANCE}]},
    "mark": {"type": "rule", "strokeDash": [2, 3], "color": INK},
    "encoding": {"x": None, "color": None},
}

Row = dict[str, Any]


def rows(curve: dict[str, list[float]], series: str, per: float = 1) -> list[Row]:
    return [
        {"series": series, "x": step / per, "y": value}
        for step, value in zip(curve["step"], curve["value"], strict=True)
    ]


def panel(title: str, x: str, values: list[Row], y: tuple[float, float], layers: list[Spec], **scale: Any) -> Spec:
    """Return a chart of `values`, which have x, y and a series, with a line's colour by its series.

    `y` is the range of the vertical axis. `scale` describes the horizontal one to Vega-Lite; by default it starts at 0.
    """
    series = list(dict.fromkeys(row["series"] for row in values))
    return {
        "title": title,
        "width": 290,
        "height": 200,
        "data": {"values": values},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": x, "scale": scale or {"zero": True}},
            "y": {"field": "y", "type": "quantitative", "title": None, "scale": {"domain": y}},
            "color": {
                "field": "series",
                "type": "nominal",
                "title": None,
                "scale": {"domain": series},
                "legend": {"symbolType": "stroke", "symbolOpacity": 1},
            },
        },
        "layer": layers,
    }


def learning_rates() -> Spec:
    """Return the loss while training, and that on the validation reviews, for a rate too low, right and too high."""
    training: list[Row] = []
    validation: list[Row] = []
    for change, label in (
        ({"train.lr": 2e-6}, "2e-6: too low"),
        ({}, "1e-4: right"),
        ({"train.lr": 1e-3}, "1e-3: too high"),
        ({"train.lr": 3e-3}, "3e-3: far too high"),
    ):
        found = trial(change)
        training += rows(found["loss"], label)
        validation += rows(found["validation_log_loss"], label)
    return {
        "hconcat": [
            panel("loss on the training reviews", "step", training, (0, 1), [RULE, LINE]),
            panel("log loss on the validation reviews", "step", validation, (0, 1), [RULE, LINE, POINTS]),
        ]
    }


def over_fitting() -> Spec:
    """Return training loss and validation log loss, and the validation accuracy, over many epochs."""
    found = trial({"train.epochs": EPOCHS, "train.validations_per_epoch": 1})
    per_epoch = found["steps"] / EPOCHS
    training = rows(found["loss"], "training reviews", per_epoch)
    losses = training + rows(found["validation_log_loss"], "validation reviews", per_epoch)
    accuracies = rows(found["validation_accuracy"], "validation reviews", per_epoch)
    return {
        "hconcat": [
            panel("loss", "epoch", losses, (0, 0.8), [LINE]),
            panel("accuracy", "epoch", accuracies, (0.8, 1), [LINE, POINTS]),
        ]
    }


def training_reviews() -> Spec:
    """Return the accuracies of the model, its rival and SetFit by the number of training reviews, with intervals."""
    sizes = {int(size): found for size, found in read(CURVES)["sizes"].items()}
    panels = []
    for kind, title in (("validation", "films, as in training"), ("others", "books, restaurants, products, travel")):
        values = [
            {"series": label, "x": size, "y": figures["accuracy"]}
            | {end: figures[f"accuracy_{end}"] for end in ("low", "high")}
            for name, label in (
                ("model", "fine-tuned"),
                ("baseline", "the strongest cheap rival"),
                ("setfit", "SetFit"),
            )
            for size, found in sorted(sizes.items())
            if (figures := found[kind].get(name))
        ]
        scale = {"type": "log", "nice": False, "padding": 8}
        panels.append(panel(title, "training reviews", values, (0.5, 1), [BAND, LINE, POINTS], **scale))
        panels[-1]["encoding"]["x"]["axis"] = {"values": sorted(sizes)}
    return {"hconcat": panels}


DRAWINGS = {
    "learning_rates": learning_rates,
    "over_fitting": over_fitting,
    "training_reviews": training_reviews,
    "models": models_chart,
    "transfer": transfer_chart,
}


def draw(folder: Path) -> None:
    """Draw all charts into the folder, but for those whose benchmark has not been run."""
    for name, chart in DRAWINGS.items():
        with suppress(NotMeasuredError), replacing(folder / f"{name}.svg") as file:
            file.write_text(svg(chart(), "c", INK), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(lambda: draw(IMAGES), "drawings")
