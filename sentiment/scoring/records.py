"""What was scored, and by what: a small record of each output, by which a rerun knows what it need not do again.

A record is written last, so that where it is the output is whole.
"""

import hashlib
from pathlib import Path

from pydantic import ValidationError

from sentiment.core.errors import UserError
from sentiment.core.files import sha256
from sentiment.core.schemas import Strict
from sentiment.scoring.jobs import REJECTED, Job
from sentiment.scoring.label_metrics import Measured
from sentiment.scoring.places import NOTES, Stamp, below, name_of, parent_of, read_text, remove, stamp_of, write_text
from sentiment.scoring.table import Options, Outcome
from sentiment.text.spelling import Spelled


class Record(Strict):
    """What became of a file: the key of all that its scores depend on, its stamp, its rows, those set aside.

    `written` is the output's size, `spelled` how many words, tokens and unknown tokens its texts had, `measured` what
    its labels say of the scores, which do not depend on them.
    """

    key: str
    size: int
    mtime_ns: int
    written: int
    rows: int
    set_aside: int
    spelled: list[int]
    notes: list[str]
    measured: Measured

    def spelling(self) -> Spelled:
        return Spelled(*self.spelled)


def key_of(model: Path, options: Options) -> str:
    """Return what all outputs depend on beside their inputs as 64 hex digits: the model and what was said."""
    said = [options.text, options.prefix, options.form, options.reading.model_dump_json()]
    return hashlib.sha256(f"{sha256(model)} {said}".encode()).hexdigest()


def place_of(job: Job) -> str:
    """Return where the record of a job is."""
    return below(below(parent_of(job.output), NOTES), f"{name_of(job.output)}.json")


def pieces_of(job: Job) -> str:
    """Return the folder of what a job's pieces are kept in until it is done."""
    return below(below(parent_of(job.output), NOTES), name_of(job.output))


def find_record(job: Job, key: str) -> Record | None:
    """Return a job's record if its output is there, of the same key, and of the input as it is now."""
    content = read_text(place_of(job))
    stamp, output = stamp_of(job.source), stamp_of(job.output)
    if content is None or stamp is None or output is None:
        return None
    try:
        record = Record.model_validate_json(content)
    except ValidationError:
        return None
    there = (record.key, Stamp(record.size, record.mtime_ns), record.written)
    return record if there == (_key(job, key), stamp, output.size) else None


def discard(job: Job) -> None:
    """Remove what an earlier run wrote for a job, which no longer belongs to its input or its model."""
    for name in (place_of(job), job.output, f"{job.output}{REJECTED}"):
        remove(name)


def write_record(job: Job, key: str, stamp: Stamp, outcome: Outcome) -> Record:
    """Write the record of an output that is there and return it; raise UserError where it is there no longer."""
    written = stamp_of(job.output)
    if written is None:
        raise UserError(f"{job.output} is gone already, as another process has removed it: run the same command again")
    spelled = outcome.spelled
    record = Record(
        key=_key(job, key),
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        written=written.size,
        rows=outcome.rows,
        set_aside=outcome.set_aside,
        spelled=[spelled.words, spelled.tokens, spelled.unknown],
        notes=outcome.notes,
        measured=outcome.measured,
    )
    keep(job, record)
    return record


def keep(job: Job, record: Record) -> None:
    """Write the record of a job."""
    write_text(place_of(job), record.model_dump_json(indent=2) + "\n")


def _key(job: Job, key: str) -> str:
    return key if job.rows is None else f"{key} {job.rows.start}-{job.rows.stop}"
