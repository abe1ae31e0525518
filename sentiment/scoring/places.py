"""Files on this machine and in object stores such as s3://bucket/folder, through pyarrow's filesystems."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType, LocalFileSystem, copy_files

from sentiment.core.errors import UserError, reason
from sentiment.tables.row_groups import groups_with

NOTES = ".scoring"
"""The folder beside outputs for what is kept about them; hidden, so that who reads the outputs' folder passes it by."""
TEMPORARY = ".tmp"
STEP = 1 << 24
"""Bytes of a remote file that are in memory at a time."""


class Stamp(NamedTuple):
    """What tells that a file has changed."""

    size: int
    mtime_ns: int


def is_remote(name: str) -> bool:
    return "://" in name


def plain(name: str) -> str:
    """Return the path that a URI file:///PATH names; other names stay as they are."""
    return unquote(name.removeprefix("file://")) if name.startswith("file:///") else name


def parent_of(name: str) -> str:
    return name.rpartition("/")[0] if is_remote(name) else str(Path(name).parent)


def name_of(name: str) -> str:
    return name.rpartition("/")[2] if is_remote(name) else Path(name).name


def below(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def stamp_of(name: str) -> Stamp | None:
    """Return the stamp of a file, or of all files of a folder of texts; None where there is none."""
    if is_remote(name):
        info = _info(name)
        return Stamp(info.size, info.mtime_ns) if info.type == FileType.File else None
    path = Path(name)
    if path.is_dir():
        stats = [file.stat() for file in path.rglob("*") if file.is_file()]
        return Stamp(sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0))
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return Stamp(stat.st_size, stat.st_mtime_ns)


def is_remote_folder(name: str) -> bool:
    return _info(name).type == FileType.Directory


def files_in(folder: str) -> list[str]:
    """Return the files of a remote folder, in order; raise UserError where it can't be listed."""
    files, path = _open(folder)
    try:
        found = files.get_file_info(FileSelector(path, allow_not_found=True))
    except OSError as error:
        raise UserError(f"{folder} can't be listed: {reason(error)}") from None
    return sorted(below(folder, info.base_name) for info in found if info.type == FileType.File)


@contextmanager
def fetched(name: str, rows: range | None = None) -> Iterator[Path]:
    """Yield the path of a file: its own, or that of a copy of a remote one which vanishes afterwards.

    Of a remote parquet file only what is needed to read these rows is copied, each byte to its own place.
    """
    if not is_remote(name):
        yield Path(name)
        return
    files, path = _open(name)
    with TemporaryDirectory() as folder:
        copy = Path(folder, name_of(name))
        if rows is None:
            copy_files(path, str(copy), source_filesystem=files, destination_filesystem=LocalFileSystem())
        else:
            _copy_rows(files, path, copy, rows)
        yield copy


def parquet_rows(name: str) -> int | None:
    """Return the number of a parquet file's rows, None where it is no whole one."""
    files, path = _open(name) if is_remote(name) else (LocalFileSystem(), name)
    try:
        with files.open_input_file(path) as file:
            return pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError):
        return None


@contextmanager
def placed(name: str) -> Iterator[Path]:
    """Yield a temporary path for a file that becomes `name` when the block succeeds, whole; else it vanishes.

    No two processes share the temporary path: what a killed one was about to write can't get into another's file.
    """
    if is_remote(name):
        files, path = _open(name)
        with TemporaryDirectory() as place:
            copy = Path(place, "copy")
            yield copy
            copy_files(str(copy), path, source_filesystem=LocalFileSystem(), destination_filesystem=files)
        return
    folder = Path(name).parent
    notes = folder if folder.name == NOTES else folder / NOTES
    notes.mkdir(parents=True, exist_ok=True)
    temporary = notes / f"{uuid4().hex}{TEMPORARY}"
    try:
        yield temporary
        temporary.replace(name)
    finally:
        temporary.unlink(missing_ok=True)


def read_text(name: str) -> str | None:
    """Return the content of a small file, None where there is none."""
    try:
        if not is_remote(name):
            return Path(name).read_text(encoding="utf-8")
        files, path = _open(name)
        with files.open_input_stream(path) as file:
            return file.read().decode()
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def write_text(name: str, content: str) -> None:
    """Write a small file, whole or not at all."""
    with placed(name) as path:
        path.write_text(content, encoding="utf-8", newline="\n")


def remove(name: str) -> None:
    """Remove a file or a folder with all that is in it; where there is none, do nothing."""
    if is_remote(name):
        files, path = _open(name)
        info = files.get_file_info(path)
        if info.type == FileType.Directory:
            files.delete_dir(path)
        elif info.type == FileType.File:
            files.delete_file(path)
    elif Path(name).is_dir():
        shutil.rmtree(name)
    else:
        Path(name).unlink(missing_ok=True)


def _info(name: str) -> FileInfo:
    files, path = _open(name)
    try:
        return files.get_file_info(path.rstrip("/"))
    except OSError as error:
        raise UserError(f"{name} can't be looked at: {reason(error)}") from None


def _open(name: str) -> tuple[FileSystem, str]:
    scheme, _, path = name.partition("://")
    bucket, _, rest = path.partition("/")
    files, root = _filesystem(f"{scheme}://{bucket}")
    return files, f"{root}/{rest}"


@lru_cache
def _filesystem(root: str) -> tuple[FileSystem, str]:
    """Return the filesystem of a bucket; connecting anew for each of its files would take seconds."""
    try:
        files, path = FileSystem.from_uri(root)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{root} can't be opened: {reason(error)}; give s3://BUCKET/FOLDER/, say") from None
    return files, path


def _copy_rows(files: FileSystem, path: str, copy: Path, rows: range) -> None:
    with files.open_input_file(path) as source, copy.open("wb") as target:
        metadata = pq.read_metadata(source)
        size = source.size()
        groups, _ = groups_with(rows, metadata)
        spans = [(0, 4), (size - 8 - metadata.serialized_size, size)]
        for group in groups:
            columns = [metadata.row_group(group).column(place) for place in range(metadata.num_columns)]
            starts = [column.dictionary_page_offset or column.data_page_offset for column in columns]
            ends = [start + column.total_compressed_size for start, column in zip(starts, columns, strict=True)]
            spans.append((min(starts), max(ends)))
        for start, end in spans:
            target.seek(start)
            for offset in range(start, end, STEP):
                target.write(source.read_at(min(STEP, end - offset), offset))
