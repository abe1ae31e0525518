"""Score the reviews of a file with the exported model.

Reads   models/exported/, and a table with a column of texts, or a folder of texts by label, as own/README.md has them
Writes  a csv, tsv, jsonl (each also .gz) or parquet file: the rows with all their columns, `sentiment` (positive or
        negative) and `score` (the calibrated probability of positive); OUTPUT.rejected.jsonl: the rows that hold no
        text, and why

    python -m sentiment.predict reviews.csv -o scored.parquet
    zcat reviews.jsonl.gz | python -m sentiment.predict - --format jsonl -o - > scored.jsonl

A killed run is continued by the same command: its scores are kept beside the output until that is whole.
"""

import hashlib
import os
import shutil
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from sentiment.core.command import run
from sentiment.core.errors import UserError, abridge
from sentiment.core.files import replacing, sha256
from sentiment.core.labels import LABELS, PLAIN, label_name
from sentiment.core.reading import Reading
from sentiment.core.schemas import validate
from sentiment.core.texts import MAX_CHARACTERS
from sentiment.metrics import as_written
from sentiment.serving.predictor import Predictor
from sentiment.tables.asking import as_flag
from sentiment.tables.formats import FORMATS, INPUTS, format_of
from sentiment.tables.reader import Reader
from sentiment.tables.rows import BadRow
from sentiment.tables.writer import open_writer

CHUNK = 64
MOST_UNKNOWN = 1000
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary)
LABEL = "label"


def parse() -> Namespace:
    parser = ArgumentParser("predict", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("input", help="a file, or - for stdin, which is read to its end first")
    parser.add_argument("-o", "--output", required=True, help="a file, or - for stdout")
    parser.add_argument("--text", default="text", help="the column of the reviews (text)")
    parser.add_argument(
        "--label", help="a column of labels, as 0 and 1 or neg and pos: prints the metrics, too (label)"
    )
    parser.add_argument("--format", choices=INPUTS, metavar="FORMAT", help="of the input; by its name where not given")
    parser.add_argument("--encoding", help="of the input where it is not UTF-8, such as cp1252")
    parser.add_argument("--delimiter", help="of the input where its header does not tell: comma, semicolon, tab, pipe")
    parser.add_argument("--columns", help="names of its columns where it has no header, with commas between them")
    parser.add_argument("--output-format", choices=FORMATS, help="of the output; by its name where not given")
    parser.add_argument("--model", type=Path, default=Path("models/exported"), help="folder (models/exported)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="reviews at a time (all CPUs)")
    arguments = parser.parse_args()
    for kind, name in (("", arguments.input), ("output_", arguments.output)):
        if not getattr(arguments, f"{kind}format") and name == "-":
            raise UserError(f"- has no name to tell its format by: give --{kind.replace('_', '-')}format")
    arguments.output_format = arguments.output_format or format_of(arguments.output)
    columns = arguments.columns and [name.strip() for name in arguments.columns.split(",")]
    options = {"encoding": arguments.encoding, "delimiter": arguments.delimiter, "columns": columns}
    arguments.reading = validate(Reading, options, "the options")
    return arguments


class Journal:
    """The scores of one piece of work, float64, as far as it came; kept in a file so that a killed run can go on."""

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        head = key.encode()
        content = path.read_bytes() if path.is_file() else b""
        whole = content[len(head) :][: (len(content) - len(head)) // 8 * 8] if content.startswith(head) else b""
        self.known = np.frombuffer(whole, np.float64)
        path.write_bytes(head + whole)

    def score(self, predictor: Predictor, texts: Sequence[str]) -> NDArray[np.float64]:
        """Score the next texts; those that an earlier run has scored are not scored again."""
        known, self.known = self.known[: len(texts)], self.known[len(texts) :]
        if len(known) == len(texts):
            return known
        scores = predictor.score_texts(texts[len(known) :])
        with self.path.open("ab") as file:
            file.write(scores.tobytes())
        return np.concatenate([known, scores])


def key_of(source: Path, model: Path, text: str, reading: Reading) -> str:
    """Return what the scores depend on as 64 hex digits: the input, how it is read, the model and the column."""
    files = [source, *sorted(path for path in model.rglob("*") if path.is_file())]
    parts = [*map(sha256, files), text, reading.model_dump_json(exclude_none=True)]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


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
    if name == "-":
        path = folder / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return path
    if not Path(name).exists():
        raise UserError(f"{name} is missing: give the path of a file that exists, or - for stdin")
    return Path(name)


def check(reader: Reader, source: str, text: str, label: str | None = None) -> None:
    """Raise UserError unless the source has the columns that are asked for, and none that will be added."""
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
    there = [name for name in ("sentiment", "score") if name in names]
    if there:
        raise UserError(f"{source} has a column {there[0]} already: rename or drop it")


def holds_texts(column: pa.Field) -> bool:
    """Return whether a column can hold the reviews."""
    return any(test(column.type) for test in TEXTS)


def extend(schema: pa.Schema) -> pa.Schema:
    """Return the columns of the output."""
    return schema.append(pa.field("sentiment", pa.string())).append(pa.field("score", pa.float64()))


def score_rows(
    reader: Reader, score: Callable[[Sequence[str]], ArrayLike], text: str
) -> Iterator[tuple[pa.Table, list[BadRow]]]:
    """Yield the rows that have a text, with what is added to them, and the others, a batch at a time.

    `score` is given at most CHUNK texts, and returns the probabilities of positive.
    """
    schema = extend(reader.contents.schema)
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


def report(labels: Sequence[int], scores: Sequence[float], unknown: Collection[str]) -> None:
    """Print the metrics of the labelled rows, unless labels of unknown meaning put that of the others in doubt."""
    from sentiment.metrics import evaluate

    listed = ", ".join(map(abridge, sorted(unknown)[:10]))
    if any(name[:1].isdecimal() or name[:1] in {"-", "+", "."} for name in unknown):
        print(f"no metrics: what the labels mean is not known where {listed} are among them, but only of 0 and 1 alone")
        return
    if unknown:
        print(f"rows without a known label are left out of the metrics: {listed}")
    if set(labels) != {0, 1}:
        print(
            f"no metrics: they need both labels, negative and positive, but the {len(labels):,} labelled rows lack one"
        )
        return
    try:
        metrics = evaluate(labels, scores)
    except ModuleNotFoundError as error:
        # What serves the model has fewer packages than what makes it.
        print(f"no metrics: they need {error.name}, one of the packages of requirements.txt")
        return
    print(", ".join(f"{name} {round(value, 3):,}" for name, value in metrics.items()))


def main() -> None:
    # What is said must not end up among the rows.
    stdout, sys.stdout = sys.stdout, sys.stderr
    arguments = parse()
    labels, scores, count = array("b"), array("d"), 0
    unknown: set[str] = set()
    with TemporaryDirectory() as temporary, ExitStack() as stack:
        source = fetch(arguments.input, Path(temporary))
        reader = Reader(
            source, arguments.format, bad_rows="set aside", text=arguments.text, reading=arguments.reading, ask=as_flag
        )
        for note in reader.notes:
            print(note)
        check(reader, arguments.input, arguments.text, arguments.label)
        contents = reader.contents
        label = arguments.label or (LABEL if LABEL in contents.schema.names else None)
        predictor = Predictor(arguments.model, arguments.threads)
        if arguments.output == "-":
            place, rejected, output = Path(temporary) / "stdout", Path("stdout.rejected.jsonl"), stdout.buffer
        else:
            place, rejected = Path(arguments.output), Path(f"{arguments.output}.rejected.jsonl")
            output = stack.enter_context(stack.enter_context(replacing(place)).open("wb"))
        rejects = stack.enter_context(stack.enter_context(replacing(rejected)).open("wb"))
        key = key_of(source, arguments.model, arguments.text, arguments.reading)
        journal = Journal(place.with_name(f"{place.name}.scores"), key)
        write = stack.enter_context(
            open_writer(output, arguments.output_format, extend(contents.schema), contents.json)
        )
        progress = stack.enter_context(tqdm(total=contents.rows, desc="score", unit="review"))

        def score(texts: Sequence[str]) -> NDArray[np.float64]:
            found = journal.score(predictor, texts)
            progress.update(len(texts))
            return found

        for table, bad in score_rows(reader, score, arguments.text):
            progress.update(len(bad))
            write(table)
            for row in bad:
                rejects.write(row.as_json().encode())
            count += len(bad)
            if label:
                for value, probability in zip(table[label].to_pylist(), table["score"].to_pylist(), strict=True):
                    number = PLAIN.get(str(label_name(value)))
                    if number in LABELS:
                        labels.append(number)
                        scores.append(probability)
                    elif isinstance(value, str | int | float) and label_name(value) and len(unknown) < MOST_UNKNOWN:
                        unknown.add(label_name(value))
    stdout.flush()
    journal.path.unlink(missing_ok=True)
    print(f"{contents.rows - count:,} of {contents.rows:,} rows scored")
    if count:
        print(f"{count:,} rows set aside in {rejected}")
    else:
        rejected.unlink()
    if arguments.label or labels:
        report(labels, scores, unknown)


if __name__ == "__main__":
    run(main, "predict")
