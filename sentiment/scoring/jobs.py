"""Which files are scored, and where each goes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from sentiment.core.errors import UserError, reason
from sentiment.scoring.places import below, files_in, is_remote, is_remote_folder, name_of, parent_of
from sentiment.tables.folders import labelled_parts
from sentiment.tables.formats import INPUT_ENDINGS, find_format, find_input

STANDARD = "-"
"""Stands for stdin or stdout."""
REJECTED = ".rejected.jsonl"
"""Ends the names of the files that scoring writes beside its output."""
LISTED = 20
"""Files that are named at most, where there are many to name."""
SIGNS = "*?["
"""Make a name a pattern."""


@dataclass(frozen=True)
class Job:
    """A table to score, which may be a folder of texts by label, and the file to write; either may be STANDARD.

    Of a large parquet file some `rows` may be a job of their own, and it is put together from these `pieces`.
    """

    source: str
    output: str
    rows: range | None = None
    pieces: tuple["Job", ...] = ()


def goes_into_a_file(inputs: Sequence[str], output: str) -> bool:
    """Say whether there is one table to score, into a file of its own, and not into a directory."""
    (first, *others) = inputs
    single = not others and (first == STANDARD or Path(first).is_file() or not _names_several(first))
    return single and not (is_remote(output) or output.endswith("/") or Path(output).is_dir())


def plan(inputs: Sequence[str], folder: str, form: str = "parquet") -> list[Job]:
    """Return a job for each table that the inputs name: files, directories and patterns as `data/*.csv`.

    Each goes into the directory `folder` as NAME.ENDING.FORM. Inputs and directory may be remote, as s3://BUCKET/FOLDER.
    Raises UserError where nothing matches, the output is no directory, or a file would be written over another.
    """
    if STANDARD in inputs:
        raise UserError("- (stdin) is scored by itself, into a file: give files, or nothing but -")
    # A file that several inputs name is scored once.
    sources = {_identity(source): source for name in inputs for source in expand(name)}
    _check_directory(folder)
    jobs = [Job(source, below(folder, f"{name_of(source)}.{form}")) for source in sources.values()]
    _check_distinct(jobs)
    return jobs


def expand(name: str) -> list[str]:
    """Return the files that an input names, those of a directory in order; raise UserError if there are none."""
    if is_remote(name):
        return _expand_remote(name)
    if _is_directory(name):
        files = _tables_in(Path(name))
        if not files:
            folders = [path for path in sorted(Path(name).iterdir()) if path.is_dir() and labelled_parts(path)]
            hint = f"; {folders[0]}, a folder of texts by label, is scored where it is named itself" if folders else ""
            raise UserError(f"{name} holds no file of a known format: names must end in {INPUT_ENDINGS}{hint}")
        return list(map(str, files))
    if Path(name).exists() or not _names_several(name):
        return [name]
    root = Path(Path(name).anchor)
    try:
        files = [path for path in sorted(root.glob(str(Path(name).relative_to(root)))) if _is_visible(path)]
    except ValueError as error:
        raise UserError(f"{name} is no file and no pattern: {reason(error)}") from None
    if not files:
        raise UserError(f"{name} matches no file: give files, a directory, or a pattern as 'reviews/*.csv'")
    return list(map(str, files))


def _expand_remote(name: str) -> list[str]:
    folder, pattern = parent_of(name), name_of(name)
    if any(sign in folder for sign in SIGNS):
        raise UserError(f"{name} has a pattern among its folders: only a file's name may be one, as in s3://a/b/*.csv")
    if any(sign in pattern for sign in SIGNS):
        files = [file for file in files_in(folder) if fnmatchcase(name_of(file), pattern)]
    elif name.endswith("/") or is_remote_folder(name):
        files = [file for file in files_in(name) if find_input(name_of(file))]
    else:
        return [name]
    files = [file for file in files if not (name_of(file).startswith(".") or file.endswith(REJECTED))]
    if not files:
        raise UserError(f"{name} names no file of a known format: names must end in {INPUT_ENDINGS}")
    return files


def left_out(inputs: Sequence[str]) -> list[str]:
    """Say what is not scored in the directories among the inputs, and why, but for hidden files and rejected rows."""
    found = [
        f"{path} is left out: {_why_left_out(path)}"
        for directory in map(Path, filter(_is_directory, inputs))
        for path in sorted(set(directory.iterdir()) - set(_tables_in(directory)))
        if not (path.name.startswith(".") or _is_rejected(path))
    ]
    more = [f"{len(found) - LISTED:,} more are left out"] if len(found) > LISTED else []
    return found[:LISTED] + more


def _why_left_out(path: Path) -> str:
    if path.is_dir():
        return f"it is a folder: name it, or use '{path.parent}/**/*.csv'"
    return "it is no file of a known format"


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
    return _is_directory(name) or any(sign in name for sign in SIGNS) or (is_remote(name) and name.endswith("/"))


def _check_directory(output: str) -> None:
    if output == STANDARD:
        raise UserError("several files can't go to stdout: name a directory with -o")
    if not is_remote(output) and Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"{output} is a file, but several are to be written: name a directory with -o")
    if find_format(output) and not output.endswith("/") and not Path(output).is_dir():
        if is_remote(output):
            raise UserError(
                f"a remote output must be a folder, but {output} names a file: give {parent_of(output)}/, say"
            )
        raise UserError(f"several files are to be written, but {output} names one: name a directory with -o")


def _check_distinct(jobs: list[Job]) -> None:
    sources = defaultdict(list)
    for job in jobs:
        sources[job.output].append(job.source)
    for output, names in sources.items():
        if len(names) > 1:
            raise UserError(f"{' and '.join(names)} would both become {output}: score them into two directories")
    folders = {_identity(parent_of(job.source)): job.source for job in jobs}
    for job in jobs:
        if source := folders.get(_identity(parent_of(job.output))):
            # The next run would take the outputs for inputs.
            raise UserError(f"{source} is in the directory that -o names: name another one")


def _identity(name: str) -> str:
    """Return a name that a file has alone."""
    return name if is_remote(name) else str(Path(name).resolve())
