"""Read the results that stages and measurements write."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sentiment.core.errors import UserError

MEASUREMENTS = Path("benchmarks/dvc.yaml")
_measured: ContextVar[set[str]] = ContextVar("measured")


class NotMeasuredError(UserError):
    """There is no result of a measurement yet; the message says which command measures it."""


def measurement(file: str | Path) -> str | None:
    """Return the stage of benchmarks/dvc.yaml that writes a file, which is named after it; None for other files."""
    match Path(file).parts:
        case "benchmarks", name:
            return name.removesuffix(".json")
        case "benchmarks", name, kind:
            return f"{name}@{kind.removesuffix('.json')}"
    return None


def command(name: str) -> str:
    """Return the command that makes a measurement anew."""
    return f"dvc repro {MEASUREMENTS.as_posix()}:{name}"


def read(file: str) -> Any:
    """Return the content of a JSON file; raise NotMeasuredError where it is a measurement's and does not exist."""
    name = measurement(file)
    if name and not Path(file).exists():
        raise NotMeasuredError(f"Not measured yet: `{command(name)}` does it.")
    if name:
        _measured.get(set()).add(name)
    return json.loads(Path(file).read_text(encoding="utf-8"))


@contextmanager
def noting_measurements() -> Iterator[set[str]]:
    """Yield a set that takes up the names of the measurements whose results are read in the block."""
    names: set[str] = set()
    token = _measured.set(names)
    try:
        yield names
    finally:
        _measured.reset(token)


def rival(found: Mapping[str, Any]) -> str:
    """Return the name of the rival that was measured; it was TF-IDF before there was a choice."""
    return found.get("rival", "TF-IDF")
