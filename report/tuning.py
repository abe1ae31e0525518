"""The charts of a study of `make tune`, as specifications of Vega-Lite."""

from typing import Any

from report.charts import Spec


def history(trials: list[dict[str, Any]]) -> Spec:
    """Return the log loss of each trial, the last one seen of those stopped early, and the best so far."""
    rows = []
    best = float("inf")
    for trial in trials:
        complete = trial["state"] == "complete"
        seen = trial["log_loss"] if complete else next(reversed(trial["validations"]), None)
        if complete:
            best = min(best, trial["log_loss"])
        if seen is not None:
            rows.append(
                {
                    "trial": trial["number"],
                    "log_loss": seen,
                    "ended": "trained to the end" if complete else "stopped early",
                    "best": best if best < float("inf") else None,
                }
            )
    x = {"field": "trial", "type": "quantitative", "axis": {"tickMinStep": 1}}
    y = {"field": "log_loss", "type": "quantitative", "title": "log loss", "scale": {"zero": False}}
    colour = {"field": "ended", "type": "nominal", "title": None}
    return {
        "data": {"values": rows},
        "title": "Log loss on the validation reviews, and the best so far",
        "width": 420,
        "height": 240,
        "layer": [
            {
                "mark": {"type": "line", "interpolate": "step-after", "opacity": 0.6},
                "encoding": {"x": x, "y": {"field": "best", "type": "quantitative"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
                "encoding": {"x": x, "y": y, "color": colour, "shape": colour},
            },
        ],
    }


def importances(shares: dict[str, float]) -> Spec:
    """Return how much of the log loss each parameter decides, the most important first."""
    rows = [{"parameter": name, "importance": share} for name, share in shares.items()]
    return {
        "data": {"values": rows},
        "title": "What mattered",
        "width": 300,
        "height": {"step": 20},
        "mark": "bar",
        "encoding": {
            "x": {"field": "importance", "type": "quantitative", "scale": {"domain": [0, 1]}},
            "y": {"field": "parameter", "type": "nominal", "sort": "-x", "title": None},
        },
    }
