"""The first row of a table without types: its delimiter, and whether it names columns or is a row of data."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sentiment.core.errors import UserError, abridge
from sentiment.core.labels import PLAIN, label_name
from sentiment.core.reading import DELIMITERS, delimiter_word
from sentiment.tables.asking import Ask

SEPARATOR = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)
"""Excel's line that names the delimiter, before the header."""
QUOTED = re.compile(r'"(?:[^"]|"")*"?')
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
SENTENCE = 4
"""Words from which a cell is a text rather than a name."""
LABELS = {*PLAIN, "neutral", *map(str, range(-1, 11))}


def delimiters_in(line: str) -> list[str]:
    """Return the usual delimiters that occur in a line outside quotes."""
    bare = QUOTED.sub("", line)
    return [sign for sign in DELIMITERS.values() if sign in bare]


def find_delimiter(line: str, usual: str, place: str, ask: Ask) -> str:
    """Return the delimiter of a header: the usual one, or another that is the only one there.

    Raises UserError where several others are.
    """
    found = delimiters_in(line)
    if not found or usual in found:
        return usual
    if len(found) > 1:
        words = " or ".join(map(delimiter_word, found))
        raise UserError(
            f"{place}: {words} may be the delimiter, as its first row has them: say which, "
            f"as in {ask('delimiter', delimiter_word(found[0]))}"
        )
    return found[0]


def fitting_delimiter(lines: Sequence[str], usual: str, width: int) -> str:
    """Return the delimiter that gives the rows this many fields: the usual one, or the only other that does."""

    def fits(sign: str) -> bool:
        try:
            return all(len(fields) == width for fields in csv.reader(lines, delimiter=sign) if fields)
        except csv.Error:
            return False

    fitting = [sign for sign in DELIMITERS.values() if sign != usual and fits(sign)]
    return fitting[0] if len(fitting) == 1 and not fits(usual) else usual


@dataclass(frozen=True)
class Doubt:
    """What to say of a first row that looks like data, with the names that the rows suggest; '' where none does.

    `sure` where a text and a number or a label stand in it: no header has both.
    """

    said: str = ""
    sure: bool = False


def doubt_header(sample: Sequence[Sequence[str]], ask: Ask) -> Doubt:
    """Return what is doubtful about the first of some rows as the names of the columns."""
    cells = [cell.strip() for cell in sample[0]] if sample else []
    text = next((cell for cell in cells if len(cell.split()) >= SENTENCE), None)
    number = next((cell for cell in cells if NUMBER.fullmatch(cell)), None)
    label = next((cell for cell in cells if label_name(cell) in PLAIN), None)
    if text and (number or label):
        why = f"{number} is a number" if number else f"{label} is a label"
    elif text:
        why = f"{abridge(text)} is a text"
    elif number and not all(NUMBER.fullmatch(cell) for cell in cells if cell):
        why = f"{number} is a number"
    else:
        return Doubt()
    names = ask("columns", ",".join(suggest_names(sample)))
    said = f"; its first row looks like data ({why}): if it has no header, name its columns, as in {names}"
    return Doubt(said, sure=bool(text and (number or label)))


def suggest_names(sample: Sequence[Sequence[str]]) -> list[str]:
    """Return names for the columns of rows: text for the longest, label for the only one of labels."""
    width = len(sample[0])
    columns = [[row[place] for row in sample if len(row) == width] for place in range(width)]
    lengths = [sum(map(len, column)) for column in columns]
    names = [f"column{place + 1}" for place in range(width)]
    names[lengths.index(max(lengths))] = "text"
    labels = [place for place, column in enumerate(columns) if all(label_name(cell) in LABELS for cell in column)]
    if len(labels) == 1:
        names[labels[0]] = "label"
    return names
