"""Do one job: score a file or some of its rows, or put the scored rows of a file together.

The same function does it in one process and in a task of a cluster. What it writes is whole or absent, its record last.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import IO

import pyarrow.parquet as pq

from sentiment.core.errors import UserError, reason
from sentiment.scoring.added_columns import name_added
from sentiment.scoring.jobs import REJECTED, Job
from sentiment.scoring.label_metrics import Measured
from sentiment.scoring.places import fetched, parquet_rows, placed, remove, stamp_of
from sentiment.scoring.records import Record, discard, find_record, keep, pieces_of, write_record
from sentiment.scoring.rows import require
from sentiment.scoring.table import Options, Outcome, Scorer, measured, metrics_of, score_table
from sentiment.tables.formats import format_of
from sentiment.tables.reader import Reader
from sentiment.tables.writer import open_writer
from sentiment.text.spelling import Spelled


def attempt(job: Job, options: Options, key: str, scorer: Scorer) -> Record | str:
    """Do a job and return its record, or a sentence on why it can't be done, so that the others are.

    What a library makes of a strange file may be any error.
    """
    return _or_why(job, lambda: perform(job, options, key, scorer))


def remeasure(job: Job, record: Record, options: Options) -> Record:
    """Return the record of a job that was done before with what another column of labels says of its scores."""

    def again() -> Record:
        found = record.model_copy(update={"measured": _measure(job, record, options)})
        keep(job, found)
        return found

    found = _or_why(job, again)
    if isinstance(found, Record):
        return found
    return record.model_copy(update={"measured": Measured(asked=options.label, sentence=f"no metrics: {found}")})


def _or_why(job: Job, do: Callable[[], Record]) -> Record | str:
    try:
        return do()
    except UserError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or job.output}: {error.strerror or reason(error)}"
    except Exception as error:
        return f"{type(error).__name__}: {reason(error)}"


def perform(job: Job, options: Options, key: str, scorer: Scorer) -> Record:
    """Do a job and return its record, or find that it was done already.

    Raises UserError for an input that can't be scored, OSError where the disk or the network fails.
    """
    # A task that was tried again may have been done the first time.
    if found := find_record(job, key):
        return found
    discard(job)
    stamp = stamp_of(job.source)
    if stamp is None:
        raise UserError(f"{job.source} is missing: give the path of a file that exists")
    with ExitStack() as stack:
        # Left in reverse: the rows set aside are there before the output is.
        output, rejects = (stack.enter_context(placed(name)) for name in (job.output, f"{job.output}{REJECTED}"))
        with output.open("wb") as rows, rejects.open("wb") as aside:
            outcome = (
                _join(job, (rows, aside), options, key) if job.pieces else _score(job, (rows, aside), options, scorer)
            )
    if not outcome.set_aside:
        remove(f"{job.output}{REJECTED}")
    record = write_record(job, key, stamp, outcome)
    if job.pieces:
        remove(pieces_of(job))
    return record


def _score(job: Job, outputs: tuple[IO[bytes], IO[bytes]], options: Options, scorer: Scorer) -> Outcome:
    with fetched(job.source, job.rows) as path:
        try:
            form = format_of(job.output)
            outcome = score_table(path, job.source, outputs, options, scorer, form=form, rows=job.rows)
        except UserError as error:
            # What was read may have been a copy.
            raise UserError(str(error).replace(str(path), job.source)) from None
        return replace(outcome, notes=[note.replace(str(path), job.source) for note in outcome.notes])


def _join(job: Job, outputs: tuple[IO[bytes], IO[bytes]], options: Options, key: str) -> Outcome:
    """Put the pieces of a parquet file together."""
    records = []
    with ExitStack() as stack:
        source = stack.enter_context(fetched(job.source, range(0)))
        schema = pq.read_schema(source).remove_metadata()
        added = name_added(schema.names, job.source, options.prefix)
        metrics = metrics_of(source, job.source, schema.names, options)
        write = None
        for piece in job.pieces:
            record = find_record(piece, key)
            if record is None:
                raise UserError(f"{job.source} changed while it was scored: run the same command again")
            records.append(record)
            with fetched(piece.output) as path, pq.ParquetFile(path) as file:
                if write is None:
                    write = stack.enter_context(open_writer(outputs[0], format_of(job.output), file.schema_arrow))
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group)
                    write(table)
                    if metrics:
                        metrics.add(table[metrics.column].to_pylist(), table[added.score].to_pylist())
            if record.set_aside:
                with fetched(f"{piece.output}{REJECTED}") as path:
                    outputs[1].write(path.read_bytes())
    return Outcome(
        sum(record.rows for record in records),
        sum(record.set_aside for record in records),
        Spelled.sum(record.spelling() for record in records),
        records[0].notes,
        measured(metrics, options),
    )


def _measure(job: Job, record: Record, options: Options) -> Measured:
    """Find out from an output what its labels say."""
    if record.rows == record.set_aside:
        return Measured(asked=options.label)
    # Of a remote parquet file, the schema says what its labels mean.
    needed = None if parquet_rows(job.source) is None else range(0)
    with fetched(job.source, needed) as source, fetched(job.output) as output:
        reader = Reader(output, bad_rows="stop", text=options.text)
        # The added columns are the last.
        *names, _, score = reader.contents.schema.names
        require(names, job.source, "--label", options.label)
        if metrics := metrics_of(source, job.source, names, options):
            for batch in reader:
                metrics.add(batch.table[metrics.column].to_pylist(), map(float, batch.table[score].to_pylist()))
        return measured(metrics, options)
