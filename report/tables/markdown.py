"""Markdown tables, and the ways in which their cells give a figure."""

from typing import Any


def table(*rows: list[str]) -> str:
    """Return a Markdown table whose first row is its header."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def with_range(measured: dict[str, float], digits: int = 0) -> str:
    """Return a median and, in brackets, the range of what it is the median of."""
    median, low, high = (f"{measured[key]:,.{digits}f}" for key in ("median", "low", "high"))
    return f"**{median}** ({low} to {high})"


def interval(figures: dict[str, float]) -> str:
    """Return the 95 % interval of an accuracy."""
    return f"{figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f}"


def accuracy_with_interval(figures: dict[str, float]) -> str:
    return f"{figures['accuracy']:.3f} ({interval(figures)})"


def lead(found: dict[str, float]) -> str:
    """Return a difference of accuracies with its 95 % interval, in points."""
    difference, low, high = (100 * found[key] for key in ("difference", "difference_low", "difference_high"))
    return f"{difference:+.1f} ({low:+.1f} to {high:+.1f})"


def mean_with_sd(spread: dict[str, float]) -> str:
    return f"{spread['mean']:.3f} ± {spread['sd']:.3f}"


def parameters(change: dict[str, Any]) -> str:
    """Return the parameters that a trial changed, and to what; `none` where it changed none."""
    return ", ".join(f"`{key}: {value}`" for key, value in change.items()) or "none"
