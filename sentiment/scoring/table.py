"""One table scored: what every way of scoring files calls."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sentiment.core.reading import Reading
from sentiment.metrics import HALF
from sentiment.scoring.added_columns import name_added, renaming
from sentiment.scoring.label_metrics import LabelMetrics, Measured
from sentiment.scoring.rows import Mapping, check, extend, score_rows
from sentiment.serving.predictor import Predictor
from sentiment.tables.asking import as_flag
from sentiment.tables.reader import Reader
from sentiment.tables.writer import open_writer
from sentiment.text.spelling import Spelled

LABEL = "label"


@dataclass(frozen=True)
class Options:
    """What all files to score share: their columns, how they are read, the prefix of what is added, the threshold.

    That is the model's, from which on a score is a verdict of positive.
    """

    text: str = "text"
    label: str | None = None
    prefix: str | None = None
    form: str | None = None
    reading: Reading = field(default_factory=Reading)
    threshold: float = HALF


@dataclass(frozen=True)
class Scorer:
    """What scores: a predictor, and how it is called for chunks of texts.

    `expect` is told of a table's rows before they are read, `progress` of those that are done.
    """

    predictor: Predictor
    mapping: Mapping = map
    expect: Callable[[int], object] = lambda _: None
    progress: Callable[[int], object] = lambda _: None


@dataclass(frozen=True)
class Outcome:
    """What became of a table: its rows, those set aside, how the others are spelled, what to say, what labels say."""

    rows: int
    set_aside: int
    spelled: Spelled
    notes: list[str]
    measured: Measured


@contextmanager
def mapping_of(threads: int) -> Iterator[Mapping]:
    """Yield a `map` that begins at once in so many threads; what has not begun when the block ends never does."""
    pool = ThreadPoolExecutor(threads, "score")
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def score_table(
    path: Path,
    name: str,
    outputs: tuple[IO[bytes], IO[bytes]],
    options: Options,
    scorer: Scorer,
    *,
    form: str,
    rows: range | None = None,
) -> Outcome:
    """Score a table that people know by `name` into an open file of a format; rows set aside go into another.

    Of a parquet file some `rows` may be scored by themselves: the metrics of its labels are then left out. Raises
    UserError for a file that can't be read or lacks a column.
    """
    reader = Reader(
        path, options.form, bad_rows="set aside", text=options.text, reading=options.reading, ask=as_flag, rows=rows
    )
    check(reader, name, options.text, options.label)
    contents = reader.contents
    there = contents.schema.names
    added = name_added(there, name, options.prefix)
    metrics = metrics_of(path, name, there, options) if rows is None else None
    spelled: list[Spelled] = []

    def score(texts: Sequence[str]) -> NDArray[np.float64]:
        found, spelling = scorer.predictor.read(texts)
        spelled.append(spelling)
        return found

    scorer.expect(contents.rows)
    output, rejects = outputs
    set_aside = 0
    with open_writer(output, form, extend(contents.schema, added), contents.json) as write:
        for table, bad in score_rows(reader, score, options.text, added, scorer.mapping, threshold=options.threshold):
            write(table)
            for row in bad:
                rejects.write(row.as_json().encode())
            set_aside += len(bad)
            if metrics:
                metrics.add(table[metrics.column].to_pylist(), table[added.score].to_pylist())
            scorer.progress(table.num_rows + len(bad))
    notes = [*reader.notes, *filter(None, [renaming(added, there)])]
    return Outcome(contents.rows, set_aside, Spelled.sum(spelled), notes, measured(metrics, options))


def metrics_of(path: Path, name: str, columns: Sequence[str], options: Options) -> LabelMetrics | None:
    """Return the metrics of the column of labels that was asked for, or of one that is called so."""
    label = options.label or (LABEL if LABEL in columns else None)
    return LabelMetrics(path, name, label, options.threshold) if label else None


def measured(metrics: LabelMetrics | None, options: Options) -> Measured:
    """Return what a table's labels say: nothing where it has none."""
    return metrics.measured(options.label) if metrics else Measured(asked=options.label)
