"""A file in, a scored file out, for the page."""

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from sentiment.core.errors import UserError
from sentiment.core.reading import Reading
from sentiment.core.schemas import validate
from sentiment.metrics import HALF
from sentiment.scoring.added_columns import name_added, renaming
from sentiment.scoring.rows import check, extend, holds_texts, score_rows
from sentiment.tables.reader import Reader
from sentiment.tables.writer import open_writer
from sentiment.text.spelling import Spelled

LIKELY = re.compile(r"text|review|comment|content|body|message", re.IGNORECASE)
FORMULA = re.compile(r"^\s*[=+@\-\t\r]")
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?%?", re.IGNORECASE)


@dataclass
class Outcome:
    """What became of a file: the paths written, the scores in order, why rows were set aside, and what else to say."""

    paths: list[Path]
    scores: list[float] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spelled: Spelled = field(default_factory=Spelled)


def reading_of(*fields: str | None) -> Reading:
    """Return what the fields encoding, delimiter and columns say of a file; raise UserError for what can't be meant.

    An empty field says nothing.
    """
    encoding, delimiter, columns = (field or "" for field in fields)
    names = [name.strip() for name in columns.split(",")] if columns.strip() else None
    said = {"encoding": encoding.strip() or None, "delimiter": delimiter or None, "columns": names}
    return validate(Reading, said, "the file")


def columns_of(path: Path, reading: Reading | None = None, tell: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return the columns that can hold the reviews, the likeliest first; `tell` gets sentences about what was found.

    Raises UserError if the file can't be read, or if its first row is data: that review would be lost.
    """
    reader = Reader(path, bad_rows="set aside", reading=reading)
    doubt = f"{path}{reader.hint.replace(';', ':', 1)}"
    if reader.headerless:
        raise UserError(doubt)
    for note in (*reader.notes, *([doubt] if reader.hint else [])):
        tell(note)
    names = [column.name for column in reader.contents.schema if holds_texts(column)]
    return sorted(names, key=lambda name: not LIKELY.search(name))


def harmless(table: pa.Table) -> pa.Table:
    """Return the table as a spreadsheet may open it: texts and names that it would take for formulas get a quote."""
    columns = [
        pa.array([value if value is None else _harmless(value) for value in column.to_pylist()], column.type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column
        for column in table.columns
    ]
    return pa.table(columns, names=[_harmless(name) for name in table.column_names])


def _harmless(value: str) -> str:
    return f"'{value}" if FORMULA.match(value) and not NUMBER.fullmatch(value.strip()) else value


def score_file(
    path: Path,
    text: str,
    form: str,
    folder: Path,
    *,
    score: Callable[[Sequence[str]], list[float]],
    progress: Callable[[int, int], None],
    reading: Reading | None = None,
    spell: Callable[[Sequence[str]], Spelled] = lambda _texts: Spelled(),
    threshold: float = HALF,
) -> Outcome:
    """Score a file's column of texts and write its rows, and those set aside, into a folder.

    `score` reads texts; `progress` is told how many of how many rows are done; `spell` tells how a tokenizer spells
    texts; scores from the threshold on are positive. Raises UserError for a file that can't be read.
    """
    reader = Reader(path, bad_rows="set aside", text=text, reading=reading)
    check(reader, path.name, text)
    contents = reader.contents
    added = name_added(contents.schema.names, path.name)
    schema = extend(contents.schema, added)
    stem = re.sub(r"[^\w-]+", "_", path.name.split(".")[0])[:60] or "reviews"
    outcome = Outcome([folder / f"{stem}-scored.{form}"])
    rejects = folder / f"{stem}-set-aside.jsonl"
    is_csv = form == "csv"
    if said := renaming(added, contents.schema.names):
        outcome.notes.append(said)

    def score_and_count(texts: Sequence[str]) -> list[float]:
        progress(len(outcome.scores) + len(outcome.rejected), contents.rows)
        found = score(texts)
        outcome.spelled += spell(texts)
        outcome.scores += found
        return found

    with ExitStack() as stack:
        file = stack.enter_context(outcome.paths[0].open("wb"))
        written = harmless(schema.empty_table()).schema if is_csv else schema
        write = stack.enter_context(open_writer(file, form, written, contents.json))
        with rejects.open("w", encoding="utf-8", newline="\n") as aside:
            for table, bad in score_rows(reader, score_and_count, text, added, threshold=threshold):
                write(harmless(table) if is_csv else table)
                for row in bad:
                    outcome.rejected.append(f"row {row.row:,}: {row.reason}")
                    aside.write(row.as_json())
    if outcome.rejected:
        outcome.paths.append(rejects)
    return outcome
