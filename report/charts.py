"""The charts of the report and of docs/evaluation.md that are no plots of DVC, as specifications of Vega-Lite."""

from typing import Any

from report.results import read, rival
from report.tables.evaluation import MODELS, TRANSFER, by_dataset
from report.vega import FAINT

Spec = dict[str, Any]


def generalization_chart() -> Spec:
    """Return the accuracies of both classifiers on every dataset."""
    rows = [
        {
            "reviews": name,
            "classifier": classifier,
            "accuracy": figures["accuracy"],
            "low": figures["accuracy_low"],
            "high": figures["accuracy_high"],
            "n": figures["n"],
        }
        for name, pair in by_dataset().items()
        for classifier, figures in zip(("fine-tuned", rival(read("metrics/baseline.json"))), pair, strict=True)
    ]
    return generalization(rows)


def transfer_chart() -> Spec:
    """Return the heat map of benchmarks/transfer.json."""
    cells = [
        {"trained_on": name, "tested_on": domain, "classifier": title, "accuracy": figures[kind]["accuracy"]}
        for name, row in read(TRANSFER)["train_on"].items()
        for domain, figures in row["tested"].items()
        for kind, title in (("model", "fine-tuned"), ("baseline", "the strongest cheap rival"))
    ]
    return heat_map(cells)


def models_chart() -> Spec:
    """Return accuracy against cost of benchmarks/models.json."""
    points = [
        {
            "variant": name,
            "accuracy": found["other_domains"]["accuracy"],
            "minutes": found["minutes"],
            "milliseconds": 1000 / found["reviews_per_second"]["median"],
        }
        for name, found in read(MODELS)["variants"].items()
    ]
    return pareto(points)


def generalization(rows: list[dict[str, Any]]) -> Spec:
    """Return accuracies with their intervals: reviews (in this order), classifier, accuracy, low, high, n."""
    tooltip = [{"field": "low", "format": ".3f"}, {"field": "high", "format": ".3f"}, {"field": "n"}]
    y: dict[str, Any] = {"field": "reviews", "type": "nominal", "sort": None, "title": None}
    return {
        "data": {"values": rows},
        "title": "Accuracy with its 95 % interval",
        "width": 420,
        "height": {"step": 14},
        "encoding": {
            "y": y,
            "yOffset": {"field": "classifier", "sort": None},
            "color": {"field": "classifier", "type": "nominal", "sort": None, "title": None},
        },
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {
                    "x": {
                        "field": "low",
                        "type": "quantitative",
                        "title": "accuracy",
                        "scale": {"domain": [0.4, 1], "clamp": True},
                    },
                    "x2": {"field": "high"},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
                "encoding": {"x": {"field": "accuracy", "type": "quantitative"}, "tooltip": tooltip},
            },
        ],
    }


def heat_map(cells: list[dict[str, Any]]) -> Spec:
    """Return accuracies by what was learnt from and what was tested on, a panel per classifier.

    A cell has trained_on, tested_on (both in this order), classifier and accuracy.
    """
    axes = {
        "x": {
            "field": "tested_on",
            "type": "nominal",
            "sort": None,
            "title": "tested on",
            "axis": {"labelAngle": -30, "labelOverlap": False},
        },
        "y": {"field": "trained_on", "type": "nominal", "sort": None, "title": "learnt from"},
    }
    colour = {"field": "accuracy", "type": "quantitative", "scale": {"domain": [0.5, 1], "scheme": "blues"}}
    dark = {"condition": {"test": "datum.accuracy > 0.8", "value": "white"}, "value": "black"}
    number = {"field": "accuracy", "type": "quantitative", "format": ".2f"}
    return {
        "data": {"values": cells},
        "facet": {"column": {"field": "classifier", "sort": [], "title": None}},
        "spec": {
            "width": {"step": 48},
            "height": {"step": 32},
            "encoding": axes,
            "layer": [
                {"mark": "rect", "encoding": {"color": colour}},
                {"mark": {"type": "text", "fontSize": 12}, "encoding": {"text": number, "color": dark}},
            ],
        },
    }


HEIGHT, PADDING, LINE = 300, 24, 12
"""Of the charts of accuracy against cost and of a line of their labels, in pixels."""
LEVELS = (0, -1, 1, 2, -2)
"""By how many lines a label may lie lower than beside its point, the best first."""
AS_LONG_AS_A_LABEL = 1.4
"""The ratio of two costs that are a label's length apart."""


def pareto(points: list[dict[str, Any]]) -> Spec:
    """Return accuracy against the time of a training and against that of a review, the best for their cost joined.

    A point has variant, accuracy, low, high, minutes and milliseconds.
    """
    return {
        "hconcat": [
            _against(points, "minutes", "minutes of training"),
            _against(points, "milliseconds", "milliseconds per review, many at once"),
        ],
        "spacing": 40,
    }


def _against(points: list[dict[str, Any]], cost: str, title: str) -> Spec:
    x = {"field": cost, "type": "quantitative", "title": title, "scale": {"type": "log", "nice": False, "padding": 40}}
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "accuracy on other domains",
        "scale": {"zero": False, "nice": False, "padding": PADDING},
    }
    return {
        "data": {"values": with_room(points, cost)},
        "width": 340,
        "height": HEIGHT,
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "data": {"values": best_for_their_cost(points, cost)},
                "mark": {"type": "line", "interpolate": "step-after", "color": FAINT},
            },
            {"mark": {"type": "point", "filled": True, "size": 60, "opacity": 1}},
            *(
                {
                    "transform": [{"filter": {"field": "level", "equal": level}}],
                    "mark": {"type": "text", "align": "left", "dx": 7, "dy": LINE * level - 5, "fontSize": 10},
                    "encoding": {"text": {"field": "variant"}},
                }
                for level in LEVELS
            ),
        ],
    }


def with_room(points: list[dict[str, Any]], cost: str) -> list[dict[str, Any]]:
    """Give each point the level, of LEVELS, at which its label hides no other's."""
    accuracies = [point["accuracy"] for point in points]
    pixels = (HEIGHT - 2 * PADDING) / ((max(accuracies) - min(accuracies)) or 1)
    placed: list[dict[str, Any]] = []
    for point in sorted(points, key=lambda point: point[cost]):
        taken = [
            LINE * other["level"] - pixels * (other["accuracy"] - point["accuracy"])
            for other in placed
            if point[cost] / other[cost] < AS_LONG_AS_A_LABEL
        ]
        free = [level for level in LEVELS if all(abs(LINE * level - place) >= LINE - 2 for place in taken)]
        placed.append(point | {"level": free[0] if free else 0})
    return placed


def best_for_their_cost(points: list[dict[str, Any]], cost: str) -> list[dict[str, Any]]:
    """Return the points that none beats in accuracy at their cost or a lower one (the Pareto front), cheapest first."""
    front: list[dict[str, Any]] = []
    for point in sorted(points, key=lambda point: (point[cost], -point["accuracy"])):
        if not front or point["accuracy"] > front[-1]["accuracy"]:
            front.append(point)
    return front
