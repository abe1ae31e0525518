"""What a file is: by its first bytes where they tell for certain, else by how its name ends."""

import zipfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import IO

from sentiment.core.errors import UserError, abridge
from sentiment.tables.encodings import marked_encoding
from sentiment.tables.formats import INPUT_ENDINGS, KINDS, PACKED, find_input
from sentiment.tables.lines import PACKINGS, open_bytes, open_lines

HEAD = 512
FOREIGN = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a workbook of Excel before 2007, or one with a password: save it as xlsx",
    b"%PDF-": "a PDF: copy its reviews into a table",
    b"ARROW1": "an Arrow file (feather): write it as parquet",
    b"SQLite format 3": "an SQLite database: export its table as csv",
    b"\xfd7zXZ\x00": "packed with xz: unpack it",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it",
    b"7z\xbc\xaf\x27\x1c": "packed with 7-Zip: unpack it",
    b"Rar!": "packed with RAR: unpack it",
    b"version https://git-lfs": "a pointer of git-lfs: git lfs pull brings the file itself",
    b"<!doctype html": "a web page: download the file itself",
    b"<html": "a web page: download the file itself",
}
"""How files begin that are not read, and what to do; letters in lower case."""
TITLES = {"xlsx": "an Excel workbook (xlsx)", "parquet": "parquet"} | {
    packing: f"packed with {name}" for packing, name in PACKINGS.items()
}


@dataclass(frozen=True)
class Source:
    """A file: its kind, one of KINDS, how it is packed and, in a zip, the name of its member.

    `marked` is the encoding that its byte order mark names; `notes` are sentences about what was found.
    """

    path: Path
    kind: str
    packing: str | None = None
    member: str = ""
    marked: str | None = None
    notes: tuple[str, ...] = ()

    def open_bytes(self) -> AbstractContextManager[tuple[IO[bytes], IO[bytes]]]:
        return open_bytes(self.path, self.packing, self.member)

    def open_lines(self, encoding: str = "utf-8") -> AbstractContextManager[tuple[TextIOWrapper, IO[bytes]]]:
        return open_lines(self.path, self.packing, self.member, encoding)


def find_source(path: Path, form: str | None = None) -> Source:
    """Return what a file is; `form` stands for the ending of a name that tells nothing.

    Raises UserError for a file of no known format, one that holds another format than is read, and a zip of several.
    """
    if path.is_dir():
        return Source(path, "folder")
    form = form or find_input(path.name)
    kind, packing = _parts(form, path.name)
    member, notes = "", []
    with path.open("rb") as file:
        head = file.read(HEAD)
    found = _magic(head)
    if found == "zip" and (kind == "xlsx" or "xl/workbook.xml" in _members(path)):
        found = "xlsx"
    if found in PACKED:
        if found != packing:
            notes.append(f"{path} is {TITLES[found]}, whatever its name says")
        packing = found
        if packing == "zip":
            member, kind = _only_table(path)
            notes.append(f"{path}: read {abridge(member)} in it")
        with open_bytes(path, packing, member) as (content, _):
            head = content.read(HEAD)
        found = _magic(head)
    elif found:
        packing = None
    if found in {"xlsx", "parquet"}:
        if found != kind:
            notes.append(f"{path} is {TITLES[found]}, whatever its name says")
        kind = found
    for beginning, what in FOREIGN.items():
        if head.lower().lstrip().startswith(beginning.lower()):
            raise UserError(f"{path} is {what}")
    if kind is None:
        raise UserError(f"{path} is of no known format: its name must end in {INPUT_ENDINGS}")
    marked = None if found else marked_encoding(head)
    if marked and marked != "utf-8-sig":
        notes.append(f"{path} is in {marked.upper()}, as its byte order mark says")
    return Source(path, kind, packing, member, marked, tuple(notes))


def _parts(form: str | None, name: str) -> tuple[str | None, str | None]:
    """Return the kind and the packing of a format; of a name that tells none, the packing that it may end in."""
    if form is None:
        ending = name.lower().rpartition(".")[2]
        return None, ending if ending in PACKED else None
    kind, _, packing = form.partition(".")
    return (None, "zip") if kind == "zip" else (kind, packing or None)


def _magic(head: bytes) -> str | None:
    """Return the kind or the packing that the first bytes tell for certain."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\x1f\x8b\x08"):
        return "gz"
    if head[:3] == b"BZh" and head[4:10] == b"1AY&SY":
        return "bz2"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return None


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _only_table(path: Path) -> tuple[str, str]:
    """Return the name of the only table in a zip file, and its kind; raise UserError if there are several, or none."""
    members = _members(path)
    if not members:
        raise UserError(f"{path} is not a whole zip file (truncated, or not one), or has nothing in it")
    if "content.xml" in members and "mimetype" in members:
        raise UserError(f"{path} is an OpenDocument file: save its sheet as xlsx or csv")
    visible = [
        name
        for name in members
        if not name.endswith("/") and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    tables = {name: kind for name in visible if (kind := find_input(PurePosixPath(name).name)) in KINDS}
    # A text beside a table tells about it.
    tables = {name: kind for name, kind in tables.items() if kind != "txt"} or tables
    if len(tables) != 1:
        listed = ", ".join(map(abridge, list(tables)[:10])) or "none"
        raise UserError(
            f"{path} must have one table in it, but has {listed}: unpack it, and name the one that is meant"
        )
    return next(iter(tables.items()))
