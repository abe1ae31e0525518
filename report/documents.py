"""Fill the marked blocks and numbers of the documents from the files that commands of this repository write.

Reads   metrics/, plots/, the results in benchmarks/, dvc.yaml, params.yaml; report/staleness.py says what else
Writes  what stands between <!-- NAME --> and <!-- end of NAME --> in README.md and docs/*.md,
        and single numbers between <!-- FILE.json:KEY:KEY --> and <!-- -->

    python -m report.documents    (make figures)
"""

import re
from collections.abc import Callable
from pathlib import Path

from report.results import NotMeasuredError, noting_measurements, read
from report.staleness import note
from report.tables import (
    datasets,
    evaluation,
    models,
    performance,
    readme,
    scale,
    serving,
    tokenizers,
    training,
)
from sentiment.core.command import run
from sentiment.core.files import replacing

BLOCK = re.compile(r"(<!-- (?P<name>[a-z0-9-]+) -->\n).*?(<!-- end of (?P=name) -->)", re.DOTALL)
VALUE = re.compile(r"(<!-- (?P<file>[\w/]+\.json):(?P<keys>[^>]+?) -->)[^<]*(<!-- -->)")

TABLES = (readme, datasets, evaluation, models, performance, scale, serving, tokenizers, training)
FIGURES: dict[str, Callable[[], str]] = {name: block for tables in TABLES for name, block in tables.FIGURES.items()}
"""What fills each block, by its name."""


def figure(name: str) -> str:
    """Return what fills a block, with a note where that was measured before later changes of the code.

    Where nothing has been measured, it is the command that measures it.
    """
    try:
        with noting_measurements() as measurements:
            filled = FIGURES[name]()
    except NotMeasuredError as error:
        return str(error)
    return "\n\n".join(filter(None, [filled, note(measurements)]))


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


def fill(text: str) -> str:
    """Return a document's text with every marked block and number filled anew."""
    text = BLOCK.sub(lambda block: f"{block[1]}{figure(block['name'])}\n{block[3]}", text)
    return VALUE.sub(lambda mark: f"{mark[1]}{value(mark['file'], mark['keys'])}{mark[4]}", text)


def main() -> None:
    for document in [Path("README.md"), *sorted(Path("docs").glob("*.md"))]:
        text = fill(document.read_text(encoding="utf-8"))
        with replacing(document) as file:
            file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main, "documents")
