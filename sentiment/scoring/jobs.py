"""Which files are scored, and where each goes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sentiment.core.errors import UserError, reason
from sentiment.tables.folders import labelled_parts
from sentiment.tables.formats import INPUT_ENDINGS, find_format, find_input

STANDARD = "-"
"""Stands for stdin or stdout."""
REJECTED = ".rejected.jsonl"
"""Ends the names of the files that scoring writes beside its output."""


@dataclass(frozen=True)
class Job:
    """A table to score, which may be a folder of texts by label, and the file to write; either may be STANDARD."""

    source: str
    output: str


def plan(inputs: Sequence[str], output: str, form: str | None = None) -> list[Job]:
    """Return a job for each table that the inputs name: files, directories and patterns as `data/*.csv`.

    One goes into the file `output`; several, or what a directory or a pattern names, go into the directory `output`,
    each under its own name, which ends in `form` where one is given, and else in csv where its own format is not
    written. Raises UserError where nothing matches, the output is of the wrong kind, or a file would be written over
    another.
    """
    (first, *others) = inputs
    single = not others and (first == STANDARD or Path(first).is_file() or not _names_several(first))
    if single and not (output.endswith("/") or Path(output).is_dir()):
        return [Job(first, output)]
    if STANDARD in inputs:
        raise UserError("- (stdin) is scored by itself, into a file: give files, or nothing but -")
    # A file that several inputs name is scored once.
    files = {path.resolve(): path for name in inputs for path in expand(name)}
    _check_directory(output)
    jobs = [Job(str(path), str(Path(output) / _output_name(path.name, form))) for path in files.values()]
    _check_distinct(jobs)
    return jobs


def expand(name: str) -> list[Path]:
    """Return the files that an input names, those of a directory in order; raise UserError if there are none."""
    if _is_directory(name):
        files = _tables_in(Path(name))
        if not files:
            folders = [path for path in sorted(Path(name).iterdir()) if path.is_dir() and labelled_parts(path)]
            hint = f"; {folders[0]}, a folder of texts by label, is scored where it is named itself" if folders else ""
            raise UserError(f"{name} holds no file of a known format: names must end in {INPUT_ENDINGS}{hint}")
        return files
    if Path(name).exists() or not _names_several(name):
        return [Path(name)]
    root = Path(Path(name).anchor)
    try:
        files = [path for path in sorted(root.glob(str(Path(name).relative_to(root)))) if _is_visible(path)]
    except ValueError as error:
        raise UserError(f"{name} is no file and no pattern: {reason(error)}") from None
    if not files:
        raise UserError(f"{name} matches no file: give files, a directory, or a pattern as 'reviews/*.csv'")
    return files


def left_out(inputs: Sequence[str]) -> list[Path]:
    """Return what is not scored in the directories among the inputs, but for hidden files and rejected rows."""
    return [
        path
        for directory in map(Path, filter(_is_directory, inputs))
        for path in sorted(set(directory.iterdir()) - set(_tables_in(directory)))
        if not (path.name.startswith(".") or _is_rejected(path))
    ]


def _tables_in(directory: Path) -> list[Path]:
    """Return what is meant where only the directory is named, in order."""
    files = [path for path in sorted(directory.iterdir()) if _is_visible(path) and not _is_rejected(path)]
    tables = {path: form for path in files if (form := find_input(path.name))}
    # A text beside a table tells about it.
    return [path for path, form in tables.items() if form != "txt"] or list(tables)


def _is_rejected(path: Path) -> bool:
    return path.name.endswith(REJECTED)


def _is_visible(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _is_directory(name: str) -> bool:
    """Say whether a name is that of a directory of tables, and not of one that is a table itself."""
    return Path(name).is_dir() and not labelled_parts(Path(name))


def _names_several(name: str) -> bool:
    return _is_directory(name) or any(sign in name for sign in "*?[")


def _check_directory(output: str) -> None:
    if output == STANDARD:
        raise UserError("several files can't go to stdout: name a directory with -o")
    if Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"{output} is a file, but several are to be written: name a directory with -o")
    if find_format(output) and not output.endswith("/") and not Path(output).is_dir():
        raise UserError(f"several files are to be written, but {output} names one: name a directory with -o")


def _output_name(name: str, form: str | None) -> str:
    given = find_input(name)
    if form is None and find_format(name) == given is not None:
        return name
    return f"{name[: -len(given) - 1] if given else name}.{form or 'csv'}"


def _check_distinct(jobs: list[Job]) -> None:
    sources = defaultdict(list)
    for job in jobs:
        sources[job.output].append(job.source)
    for output, names in sources.items():
        if len(names) > 1:
            raise UserError(f"{' and '.join(names)} would both become {output}: score them into two directories")
    inputs = {Path(job.source).resolve() for job in jobs}
    for output in sources:
        if Path(output).resolve() in inputs:
            raise UserError(f"{output} is one of the files to score: name another directory with -o")
