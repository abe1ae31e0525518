"""Score the reviews of files with the exported model.

Reads   models/exported/, and tables with a column of texts, or a folder of texts by label, as own/README.md has them
Writes  for each a csv, tsv, jsonl (each also .gz) or parquet file: the rows with all their columns, `sentiment`
        (positive or negative) and `score` (the calibrated probability of positive), with a prefix where a column has
        such a name already; OUTPUT.rejected.jsonl: the rows that hold no text, and why

    python -m sentiment.predict reviews.csv -o scored.parquet
    python -m sentiment.predict reviews/ 'more/*.csv' -o scored/
    zcat reviews.jsonl.gz | python -m sentiment.predict - --format jsonl -o - > scored.jsonl

Of several files, each is scored or not, whatever becomes of the others; the exit code is 1 if one was not. A killed run
is continued by the same command: its scores are kept beside the outputs until it ends.
"""

import os
import shutil
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from sentiment.core.command import run
from sentiment.core.errors import UserError, abridge
from sentiment.core.files import replacing
from sentiment.core.labels import LABELS
from sentiment.core.reading import Reading
from sentiment.core.schemas import validate
from sentiment.core.texts import MAX_CHARACTERS
from sentiment.metrics import as_written
from sentiment.scoring.added_columns import PLAIN, AddedColumns, name_added, renaming
from sentiment.scoring.jobs import REJECTED, STANDARD, Job, left_out, plan
from sentiment.scoring.journal import Journal, key_of
from sentiment.scoring.label_metrics import LabelMetrics
from sentiment.serving.predictor import Predictor
from sentiment.tables.asking import as_flag
from sentiment.tables.formats import FORMATS, INPUTS, format_of
from sentiment.tables.reader import Reader
from sentiment.tables.rows import BadRow
from sentiment.tables.writer import open_writer
from sentiment.text.spelling import Spelled, warning

CHUNK = 64
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary)
LABEL = "label"


def parse() -> Namespace:
    parser = ArgumentParser("predict", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument(
        "inputs", nargs="+", help="files, directories, patterns, or - for stdin, which is read to its end first"
    )
    parser.add_argument("-o", "--output", required=True, help="a file, or - for stdout; of several inputs a directory")
    parser.add_argument("--text", default="text", help="the column of the reviews (text)")
    parser.add_argument(
        "--label", help="a column of labels, as 0 and 1 or neg and pos: prints the metrics, too (label)"
    )
    parser.add_argument("--prefix", help="of the added columns; none, or predicted_ where their names are taken")
    parser.add_argument("--format", choices=INPUTS, metavar="FORMAT", help="of the input; by its name where not given")
    parser.add_argument("--encoding", help="of the input where it is not UTF-8, such as cp1252")
    parser.add_argument("--delimiter", help="of the input where its header does not tell: comma, semicolon, tab, pipe")
    parser.add_argument("--columns", help="names of its columns where it has no header, with commas between them")
    parser.add_argument("--output-format", choices=FORMATS, help="of the output; by its name where not given")
    parser.add_argument("--model", type=Path, default=Path("models/exported"), help="folder (models/exported)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="reviews at a time (all CPUs)")
    arguments = parser.parse_args()
    columns = arguments.columns and [name.strip() for name in arguments.columns.split(",")]
    options = {"encoding": arguments.encoding, "delimiter": arguments.delimiter, "columns": columns}
    arguments.reading = validate(Reading, options, "the options")
    return arguments


def require_format(name: str, given: str | None, option: str) -> None:
    """Raise UserError for stdin or stdout without the option that says its format."""
    if name == STANDARD and not given:
        raise UserError(f"- has no name to tell its format by: give {option}")


def fault(text: str | None) -> str | None:
    """Say why a value can't be scored, or None where it can."""
    if text is None:
        return "the text is null"
    if not text.strip():
        return "the text is empty"
    if len(text) > MAX_CHARACTERS:
        return f"the text has {len(text):,} characters, but a review has at most {MAX_CHARACTERS:,}"
    return None


def fetch(name: str, folder: Path) -> Path:
    """Return the path of an input: that of a copy of stdin in the folder where it is -."""
    if name == STANDARD:
        path = folder / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return path
    if not Path(name).exists():
        raise UserError(f"{name} is missing: give the path of a file that exists, or - for stdin")
    return Path(name)


def check(reader: Reader, source: str, text: str, label: str | None = None) -> None:
    """Raise UserError unless the source has the columns that are asked for, one of them of texts."""
    schema = reader.contents.schema
    names = schema.names
    for option, name in (("--text", text), ("--label", label)):
        if name is not None and name not in names:
            listed = ", ".join(map(abridge, names))
            raise UserError(f"{source} has no column {name}: choose one with {option}: {listed}{reader.hint}")
    if not holds_texts(schema.field(text)):
        raise UserError(
            f"{source}: column {text} is of type {schema.field(text).type}: choose one of texts with --text"
        )


def holds_texts(column: pa.Field) -> bool:
    """Return whether a column can hold the reviews."""
    return any(test(column.type) for test in TEXTS)


def extend(schema: pa.Schema, added: AddedColumns = PLAIN) -> pa.Schema:
    """Return the columns of the output."""
    return schema.append(pa.field(added.sentiment, pa.string())).append(pa.field(added.score, pa.float64()))


def score_rows(
    reader: Reader, score: Callable[[Sequence[str]], ArrayLike], text: str, added: AddedColumns = PLAIN
) -> Iterator[tuple[pa.Table, list[BadRow]]]:
    """Yield the rows that have a text, with what is added to them, and the others, a batch at a time.

    `score` is given at most CHUNK texts, and returns the probabilities of positive.
    """
    schema = extend(reader.contents.schema, added)
    for batch in reader:
        values = batch.table[text].to_pylist()
        faults = {place: reason for place, value in enumerate(values) if (reason := fault(value))}
        good = [place for place in range(len(values)) if place not in faults]
        scores: list[float] = []
        for start in range(0, len(good), CHUNK):
            chunk = [values[place] for place in good[start : start + CHUNK]]
            scores += as_written(score(chunk)).tolist()
        names = [LABELS[int(probability >= 0.5)] for probability in scores]
        columns = batch.table.take(pa.array(good, pa.int64())).columns
        bad = [
            BadRow(int(batch.numbers[place]), reason, batch.table.slice(place, 1).to_pylist()[0])
            for place, reason in faults.items()
        ]
        bad = sorted([*bad, *batch.bad], key=lambda row: row.row)
        yield pa.table([*columns, pa.array(names, pa.string()), pa.array(scores, pa.float64())], schema), bad


@contextmanager
def whole(path: str) -> Iterator[IO[bytes]]:
    """Open a file that is whole or absent in the end."""
    with replacing(path) as place, place.open("wb") as file:
        yield file


def score_file(
    job: Job,
    arguments: Namespace,
    predictor: Predictor,
    opened: AbstractContextManager[IO[bytes]],
    journal: Path,
) -> None:
    """Score one file as the command's arguments say, into one that is yet to be opened; tell what became of it."""
    require_format(job.source, arguments.format, "--format")
    require_format(job.output, arguments.output_format, "--output-format")
    output_form = arguments.output_format or format_of(job.output)
    with TemporaryDirectory() as temporary, ExitStack() as stack:
        source = fetch(job.source, Path(temporary))
        reading = arguments.reading
        reader = Reader(
            source, arguments.format, bad_rows="set aside", text=arguments.text, reading=reading, ask=as_flag
        )
        for note in reader.notes:
            print(note)
        check(reader, job.source, arguments.text, arguments.label)
        contents = reader.contents
        there = contents.schema.names
        added = name_added(there, job.source, arguments.prefix)
        label = arguments.label or (LABEL if LABEL in there else None)
        metrics = LabelMetrics(source, job.source, label) if label else None
        rejected = Path(f"{'stdout' if job.output == STANDARD else job.output}{REJECTED}")
        output, rejects = stack.enter_context(opened), stack.enter_context(whole(str(rejected)))
        kept = Journal(journal, key_of(source, arguments.model, arguments.text, reading))
        write = stack.enter_context(open_writer(output, output_form, extend(contents.schema, added), contents.json))
        progress = stack.enter_context(tqdm(total=contents.rows, desc="score", unit="review"))

        spelled = Spelled()

        def score(texts: Sequence[str]) -> NDArray[np.float64]:
            nonlocal spelled
            found = kept.score(predictor, texts)
            spelled += predictor.spell(texts)
            progress.update(len(texts))
            return found

        count = 0
        for table, bad in score_rows(reader, score, arguments.text, added):
            progress.update(len(bad))
            write(table)
            for row in bad:
                rejects.write(row.as_json().encode())
            count += len(bad)
            if metrics:
                metrics.add(table[metrics.column].to_pylist(), table[added.score].to_pylist())
    print(f"{contents.rows - count:,} of {contents.rows:,} rows scored")
    if count:
        print(f"{count:,} rows set aside in {rejected}")
    else:
        rejected.unlink()
    if said := renaming(added, there):
        print(said)
    if strange := predictor.strange(spelled):
        print(warning("warning: the texts", strange))
    if metrics and (arguments.label or metrics.known):
        print(metrics.sentence())


def score_all(jobs: Sequence[Job], arguments: Namespace, predictor: Predictor) -> None:
    """Score files into a directory, each for itself.

    Raises UserError naming those that can't be scored, after all others have been.
    """
    journals = {job: Path(f"{job.output}.scores") for job in jobs}
    failed = []
    for job, journal in journals.items():
        print(f"{job.source} -> {job.output}")
        try:
            score_file(job, arguments, predictor, whole(job.output), journal)
        except (UserError, OSError) as error:
            print(f"not scored: {error}")
            failed.append(job.source)
    # Until here they let a killed run go on without scoring anything again.
    for journal in journals.values():
        journal.unlink(missing_ok=True)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(jobs)} files were not scored, for the reasons above: {', '.join(failed)}"
        )


def main() -> None:
    # What is said must not end up among the rows.
    stdout, sys.stdout = sys.stdout, sys.stderr
    arguments = parse()
    jobs = plan(arguments.inputs, arguments.output, arguments.output_format)
    for path in left_out(arguments.inputs):
        print(f"{path} is left out: it is no file of a known format")
    predictor = Predictor(arguments.model, arguments.threads)
    if len(jobs) > 1:
        score_all(jobs, arguments, predictor)
        return
    (job,) = jobs
    with TemporaryDirectory() as temporary:
        if job.output == STANDARD:
            score_file(job, arguments, predictor, nullcontext(stdout.buffer), Path(temporary) / "scores")
            stdout.flush()
        else:
            journal = Path(f"{job.output}.scores")
            score_file(job, arguments, predictor, whole(job.output), journal)
            journal.unlink()


if __name__ == "__main__":
    run(main, "predict")
