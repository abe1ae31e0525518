"""What the figures of all documents share: reading a measurement, and writing a Markdown table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def read(file: str) -> Any:
    return json.loads(Path(file).read_text(encoding="utf-8"))


def table(*rows: list[str]) -> str:
    """Return a Markdown table whose first row is its header."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def if_measured(figure: Callable[[], str], file: str, command: str) -> str:
    """Return the figure of a benchmark's file; where there is none yet, the command that writes it."""
    return figure() if Path(file).exists() else f"Not measured yet: `{command}` does it."
