"""Marked blocks and numbers of a document, and filling them."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from docs.figures.tables import read

BLOCK = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n).*?(<!-- end of (?P=name) -->)", re.DOTALL)
VALUE = re.compile(r"(<!-- (?P<file>[\w/]+\.json):(?P<keys>[^>]+?) -->)[^<]*(<!-- -->)")

NO_DOCUMENTS = {"__main__", "blocks", "tables"}
FIGURES: dict[str, Callable[[], str]] = {
    name: figure
    for module in sorted(Path(__file__).parent.glob("*.py"))
    if module.stem not in NO_DOCUMENTS
    for name, figure in import_module(f"docs.figures.{module.stem}").FIGURES.items()
}
"""What fills each block, by its name."""


def value(file: str, keys: str) -> str:
    """Return a word or a number of a JSON file, its keys divided by colons; three digits up to 1, two up to 10."""
    number = read(file)
    for key in keys.split(":"):
        number = number[key]
    if isinstance(number, str):
        return number
    if isinstance(number, int) or number >= 10:
        return f"{number:,.0f}"
    return f"{number:.3f}" if number <= 1 else f"{number:.2f}"


def filled(text: str) -> str:
    """Return a document's text with every marked block and number filled anew."""
    text = BLOCK.sub(lambda block: f"{block[1]}{FIGURES[block['name']]()}\n{block[3]}", text)
    return VALUE.sub(lambda mark: f"{mark[1]}{value(mark['file'], mark['keys'])}{mark[4]}", text)
