"""Marked blocks and numbers of a document, and filling them."""

import re
from collections.abc import Callable

from docs.figures import evaluation, models, performance, readme, tokenizers, tuning
from docs.figures.tables import read

BLOCK = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n).*?(<!-- end of (?P=name) -->)", re.DOTALL)
VALUE = re.compile(r"(<!-- (?P<file>[\w/]+\.json):(?P<keys>[^>]+?) -->)[^<]*(<!-- -->)")

FIGURES: dict[str, Callable[[], str]] = {
    name: figure
    for document in (evaluation, models, performance, readme, tokenizers, tuning)
    for name, figure in document.FIGURES.items()
}
"""What fills each block, by its name."""


def value(file: str, keys: str) -> str:
    """Return one number of a JSON file, its keys divided by colons: shares with three digits, others whole."""
    number = read(file)
    for key in keys.split(":"):
        number = number[key]
    return f"{number:.3f}" if isinstance(number, float) and number <= 1 else f"{number:,.0f}"


def filled(text: str) -> str:
    """Return a document's text with every marked block and number filled anew."""
    text = BLOCK.sub(lambda block: f"{block[1]}{FIGURES[block['name']]()}\n{block[3]}", text)
    return VALUE.sub(lambda mark: f"{mark[1]}{value(mark['file'], mark['keys'])}{mark[4]}", text)
