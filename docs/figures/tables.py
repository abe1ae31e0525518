"""What the figures of all documents share: reading a measurement, and writing a Markdown table."""

import json
from pathlib import Path
from typing import Any


def read(file: str) -> Any:
    return json.loads(Path(file).read_text(encoding="utf-8"))


def table(*rows: list[str]) -> str:
    """Return a Markdown table whose first row is its header."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def interval(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}"
