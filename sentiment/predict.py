"""Score the reviews of files with the exported model.

Reads   models/exported/, and tables with a column of texts, or a folder of texts by label, as own/README.md has them
Writes  for each a csv, tsv, jsonl (each also .gz) or parquet file: the rows with all their columns, `sentiment`
        (positive or negative) and `score` (the calibrated probability of positive), with a prefix where a column has
        such a name already; OUTPUT.rejected.jsonl: the rows that hold no text, and why

    python -m sentiment.predict reviews.csv -o scored.parquet
    python -m sentiment.predict reviews/ 'more/*.csv' -o scored/
    python -m sentiment.predict s3://bucket/reviews/ -o s3://bucket/scored/ --workers 8
    zcat reviews.jsonl.gz | python -m sentiment.predict - --format jsonl -o - > scored.jsonl

One table goes into a file, or into a directory; several go into a directory, each as NAME.ENDING.parquet. Each is
scored or not, whatever becomes of the others; the exit code is 1 if one was not. A killed run is continued by the same
command, which scores nothing twice, and a directory is brought up to date by it: docs/scale.md, "Scoring". Files of a
directory are scored by one process with --threads, by --workers of Ray, or on the cluster that RAY_ADDRESS names.
"""

import os
import shutil
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TextIO

from tqdm import tqdm

from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import replacing
from sentiment.core.params import load_preprocessing
from sentiment.core.reading import Reading
from sentiment.core.schemas import validate
from sentiment.core.workers import cores
from sentiment.model.decision import load_decision
from sentiment.scoring import journal, records
from sentiment.scoring.claim import claimed
from sentiment.scoring.directory import in_this_process, score_all
from sentiment.scoring.jobs import REJECTED, STANDARD, goes_into_a_file, left_out, plan
from sentiment.scoring.on_ray import ADDRESS, in_workers
from sentiment.scoring.places import fetched, plain, stamp_of
from sentiment.scoring.table import Options, Scorer, mapping_of, score_table
from sentiment.serving.predictor import Predictor
from sentiment.tables.formats import FORMATS, INPUTS, format_of
from sentiment.text.spelling import warning


def parse() -> Namespace:
    parser = ArgumentParser("predict", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument(
        "inputs", nargs="+", help="files, directories, patterns, s3://…, or - for stdin, which is read to its end first"
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
    parser.add_argument(
        "--output-format", choices=FORMATS, help="of the output; a file's by its name, in a directory parquet"
    )
    parser.add_argument("--model", type=Path, default=Path("models/exported"), help="folder (models/exported)")
    parser.add_argument("--threads", type=int, default=cores(), help="of one process (all cores it may use)")
    parser.add_argument("--workers", type=int, help="of Ray, each with one thread, to score into a directory (none)")
    arguments = parser.parse_args()
    arguments.inputs, arguments.output = list(map(plain, arguments.inputs)), plain(arguments.output)
    for name in ("threads", "workers"):
        if (number := getattr(arguments, name)) is not None and number < 1:
            raise UserError(f"--{name} is {number}, but must be 1 or more")
    return arguments


def options_of(arguments: Namespace) -> Options:
    columns = arguments.columns and [name.strip() for name in arguments.columns.split(",")]
    said = {"encoding": arguments.encoding, "delimiter": arguments.delimiter, "columns": columns}
    reading = validate(Reading, said, "the options")
    threshold = load_decision(arguments.model).threshold
    return Options(arguments.text, arguments.label, arguments.prefix, arguments.format, reading, threshold)


def require_format(name: str, given: str | None, option: str) -> None:
    """Raise UserError for stdin or stdout without the option that says its format."""
    if name == STANDARD and not given:
        raise UserError(f"- has no name to tell its format by: give {option}")


@contextmanager
def opened(name: str) -> Iterator[Path]:
    """Yield the path of an input: that of a copy where it is stdin or remote."""
    if name == STANDARD:
        with TemporaryDirectory() as folder:
            path = Path(folder, "stdin")
            with path.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            yield path
        return
    if stamp_of(name) is None:
        raise UserError(f"{name} is missing: give the path of a file that exists, or - for stdin")
    with fetched(name) as path:
        yield path


@contextmanager
def whole(path: str) -> Iterator[IO[bytes]]:
    """Open a file that is whole or absent in the end."""
    with replacing(path) as place, place.open("wb") as file:
        yield file


def score_file(source: str, target: str, arguments: Namespace, stdout: TextIO) -> None:
    """Score one file into one; the scores are kept beside it until it is whole, so that a killed run goes on."""
    options = options_of(arguments)
    require_format(source, arguments.format, "--format")
    require_format(target, arguments.output_format, "--output-format")
    if not Path(target).suffix and not arguments.output_format:
        raise UserError(f"{target} has no ending that tells a format: add one, or name a directory, as -o {target}/")
    form = arguments.output_format or format_of(target)
    if Path(source).exists() and Path(target).exists() and Path(source).samefile(target):
        raise UserError(f"{target} is the input itself, which would be lost: name another file with -o")
    predictor = Predictor(arguments.model)
    rejected = f"{'stdout' if target == STANDARD else target}{REJECTED}"
    with ExitStack() as stack:
        path = stack.enter_context(opened(source))
        temporary = stack.enter_context(TemporaryDirectory())
        output = stack.enter_context(nullcontext(stdout.buffer) if target == STANDARD else whole(target))
        rejects = stack.enter_context(whole(rejected))
        scores = Path(temporary, "scores") if target == STANDARD else Path(f"{target}.scores")
        threads = stack.enter_context(mapping_of(arguments.threads))
        kept = journal.Journal(scores, journal.key_of(path, arguments.model, options.text, options.reading), threads)
        progress = stack.enter_context(tqdm(desc="score", unit="review"))
        scorer = Scorer(predictor, kept.map, progress.reset, progress.update)
        outcome = score_table(path, source, (output, rejects), options, scorer, form=form)
    scores.unlink(missing_ok=True)
    print(f"{outcome.rows - outcome.set_aside:,} of {outcome.rows:,} rows scored")
    if outcome.set_aside:
        print(f"{outcome.set_aside:,} rows set aside in {rejected}")
    else:
        Path(rejected).unlink()
    for note in filter(None, [*outcome.notes, outcome.measured.sentence]):
        print(note)
    if strange := predictor.strange(outcome.spelled):
        print(warning("warning: the texts", strange))


def score_directory(arguments: Namespace) -> None:
    """Score files into a directory, by this process or by Ray."""
    options = options_of(arguments)
    jobs = plan(arguments.inputs, arguments.output, arguments.output_format or "parquet")
    for line in left_out(arguments.inputs):
        print(line)
    model = arguments.model
    usual = load_preprocessing(model).spelling
    key = records.key_of(model, options)
    if arguments.workers or os.environ.get(ADDRESS):
        crew = in_workers(options, key, model, arguments.workers)
    else:
        crew = in_this_process(options, key, model, arguments.threads)
    with claimed(arguments.output) as check:
        score_all(jobs, key, options, usual, crew, check=check)


def main() -> None:
    # What is said must not end up among the rows.
    stdout, sys.stdout = sys.stdout, sys.stderr
    arguments = parse()
    if not goes_into_a_file(arguments.inputs, arguments.output):
        score_directory(arguments)
        return
    if arguments.workers:
        raise UserError("--workers score into a directory: name one with -o, as scored/")
    score_file(arguments.inputs[0], arguments.output, arguments, stdout)
    stdout.flush()


if __name__ == "__main__":
    run(main, "predict")
