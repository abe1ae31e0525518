"""Score files into a directory, each for itself, by one process or by the workers of a cluster."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from sentiment.core.errors import UserError
from sentiment.core.params import Spelling
from sentiment.core.parquet import BATCH
from sentiment.scoring.claim import Check
from sentiment.scoring.jobs import LISTED, REJECTED, Job
from sentiment.scoring.label_metrics import listed, together
from sentiment.scoring.perform import attempt, remeasure
from sentiment.scoring.places import below, name_of, parquet_rows, remove, stamp_of
from sentiment.scoring.progress import Progress, progress_of
from sentiment.scoring.records import Record, find_record, pieces_of
from sentiment.scoring.table import Options, Scorer, mapping_of
from sentiment.serving.predictor import Predictor
from sentiment.tables.formats import find_input
from sentiment.text.spelling import warning

PIECE = 6 * BATCH
"""Rows of a parquet file that are scored by themselves, so that several workers share it and a kill costs minutes."""
SMALL = 1 << 20
"""Bytes up to which a parquet file is not looked into for its rows: it is one job."""
LOOKS = 16
"""Files that are looked at side by side; an object store answers each after some hundredths of a second."""

Workers = Callable[["deque[Job]", Progress], Iterator[tuple[Job, Record | str]]]
"""Takes jobs from a queue, to which others are added meanwhile, and yields each with its record, or why it has none."""
Crew = AbstractContextManager[Workers]
"""Those at work, for as long as a block lasts."""


@dataclass
class Survey:
    """What is there to do: the jobs, the whole files that pieces belong to, the sizes of inputs, the files done."""

    todo: deque[Job] = field(default_factory=deque)
    wholes: dict[str, Job] = field(default_factory=dict)
    left: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, int] = field(default_factory=dict)
    done: list[tuple[Job, Record]] = field(default_factory=list)

    def size(self, job: Job) -> int:
        """Return how many bytes of input a job reads."""
        if job.rows is None:
            return 0 if job.pieces else self.sizes[job.source]
        rows = sum(len(piece.rows or ()) for piece in self.wholes[job.source].pieces)
        return self.sizes[job.source] * len(job.rows) // rows


def survey(jobs: Sequence[Job], key: str, form: str | None) -> Survey:
    """Find out what of the jobs is yet to be done."""
    found = Survey()
    with ThreadPoolExecutor(LOOKS) as pool:
        for job, record in zip(jobs, pool.map(lambda job: _done(job, key), jobs), strict=True):
            if record:
                found.done.append((job, record))
            else:
                found.wholes[job.source] = job
        for job in pool.map(lambda job: split(job, form), found.wholes.values()):
            stamp = stamp_of(job.source)
            found.sizes[job.source] = stamp.size if stamp else 0
            found.wholes[job.source] = job
            records = pool.map(lambda piece: find_record(piece, key), job.pieces)
            pieces = [piece for piece, record in zip(job.pieces, records, strict=True) if not record]
            found.left[job.source] = len(pieces)
            found.todo += pieces or [job]
    return found


def _done(job: Job, key: str) -> Record | None:
    record = find_record(job, key)
    if record:
        # A run that was killed just after it had written the record has left them.
        remove(pieces_of(job))
    return record


@contextmanager
def in_this_process(options: Options, key: str, model: Path, threads: int) -> Iterator[Workers]:
    """Yield what does jobs one after the other, with so many threads."""
    predictor = Predictor(model)

    def work(todo: deque[Job], progress: Progress) -> Iterator[tuple[Job, Record | str]]:
        with mapping_of(threads) as mapping:
            while todo:
                job = todo.popleft()
                yield job, attempt(job, options, key, Scorer(predictor, mapping, progress=progress.scored))

    yield work


def split(job: Job, form: str | None) -> Job:
    """Return the job with pieces where it is a large parquet file."""
    stamp = stamp_of(job.source)
    if (form or find_input(name_of(job.source))) != "parquet" or stamp is None or stamp.size <= SMALL:
        return job
    rows = parquet_rows(job.source) or 0
    if rows <= PIECE:
        return job
    folder = pieces_of(job)
    starts = range(0, rows, PIECE)
    pieces = [
        Job(job.source, below(folder, f"{number:05}.parquet"), range(start, min(start + PIECE, rows)))
        for number, start in enumerate(starts)
    ]
    return replace(job, pieces=tuple(pieces))


def score_all(
    jobs: Sequence[Job], key: str, options: Options, usual: Spelling | None, crew: Crew, *, check: Check
) -> None:
    """Score files, but for those that were scored before and have not changed; say what became of them.

    `usual` is how the model's own reviews are spelled; the crew comes only where there is work. Raises UserError naming
    the files that can't be scored, after all others have been, and what `check`, called after each job, raises.
    """
    found = survey(jobs, key, options.form)
    if found.done:
        print(f"{len(found.done):,} of {len(jobs):,} files were scored before and have not changed")
    failed: dict[str, str] = {}
    records = [_of_before(job, record, options) for job, record in found.done]
    with (
        crew if found.todo else nullcontext(_nobody) as workers,
        progress_of(sum(map(found.size, found.todo)), len(found.wholes)) as progress,
    ):
        for job, record in workers(found.todo, progress):
            check()
            progress.read(found.size(job))
            if isinstance(record, str):
                if job.source not in failed:
                    progress.say(f"not scored: {job.source}: {record}")
                    progress.files -= 1
                failed.setdefault(job.source, record)
            elif job.rows is not None:
                found.left[job.source] -= 1
                if not found.left[job.source]:
                    found.todo.appendleft(found.wholes[job.source])
            else:
                records.append(record)
                progress.files -= 1
                for said in _noteworthy(job, record, usual):
                    progress.say(said)
    rows, set_aside = sum(record.rows for record in records), sum(record.set_aside for record in records)
    print(f"{rows - set_aside:,} of {rows:,} rows scored in {len(records):,} of {len(jobs):,} files")
    print(f"{progress.rows:,} rows in this run, {progress.rate:,.0f} rows/s")
    if set_aside:
        print(f"{set_aside:,} rows set aside, in the files that end in {REJECTED}")
    _say_metrics(records)
    if failed:
        names = list(failed)[:LISTED]
        more = f" and {len(failed) - LISTED:,} more" if len(failed) > LISTED else ""
        raise UserError(
            f"{len(failed):,} of {len(jobs):,} files were not scored, for the reasons above: {', '.join(names)}{more}"
        )


def _nobody(_todo: deque[Job], _progress: Progress) -> Iterator[tuple[Job, Record | str]]:
    yield from ()


def _of_before(job: Job, record: Record, options: Options) -> Record:
    """Return the record of a file that was scored before, and say what its labels say, of which others may be asked."""
    if record.measured.asked != options.label:
        record = remeasure(job, record, options)
    if record.measured.sentence:
        print(_about(job, record.measured.sentence))
    return record


def _say_metrics(records: Sequence[Record]) -> None:
    metrics = [record.measured.metrics for record in records if record.measured.metrics]
    if len(metrics) > 1:
        print(f"{len(metrics):,} files with metrics together: {listed(together(metrics))}")


def _noteworthy(job: Job, record: Record, usual: Spelling | None) -> Iterator[str]:
    """Say what of a scored file is worth a line among thousands."""
    if record.set_aside:
        yield f"{job.source}: {record.set_aside:,} of {record.rows:,} rows set aside in {job.output}{REJECTED}"
    for note in filter(None, [*record.notes, record.measured.sentence]):
        yield _about(job, note)
    if strange := record.spelling().strange(usual):
        yield warning(f"warning: the texts of {job.source}", strange)


def _about(job: Job, note: str) -> str:
    return note if job.source in note else f"{job.source}: {note}"
