"""The bytes of files, packed or not, and text files as lines."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from sentiment.core.errors import UserError, reason

DAMAGED = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
PACKINGS = {"gz": "gzip", "bz2": "bzip2", "zip": "zip"}


@contextmanager
def open_bytes(path: Path, packing: str | None = None, member: str = "") -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Open a file for what it holds, and for its own bytes, whose `tell` shows how far reading has come.

    Of a zip file that is its member of this name. Raises UserError where a packed file is damaged.
    """
    with path.open("rb") as raw:
        try:
            yield _unpacked(raw, packing, member), raw
        except DAMAGED as error:
            raise _damaged(path, packing, error) from None
        except OSError as error:
            if packing != "bz2" or error.errno:
                raise  # the disk is at fault
            raise _damaged(path, packing, error) from None


def _unpacked(raw: IO[bytes], packing: str | None, member: str) -> Any:
    if packing == "gz":
        return gzip.GzipFile(fileobj=raw)
    if packing == "bz2":
        return bz2.BZ2File(raw)
    if packing == "zip":
        try:
            return zipfile.ZipFile(raw).open(member)
        except RuntimeError as error:  # of a password, say
            raise zipfile.BadZipFile(reason(error)) from None
    return raw


@contextmanager
def open_lines(
    path: Path, packing: str | None = None, member: str = "", encoding: str = "utf-8"
) -> Iterator[tuple[TextIOWrapper, IO[bytes]]]:
    """Open a file for its lines, and for the bytes that they come from, as `open_bytes` does.

    What isn't of the encoding becomes surrogates where it can, so that its row can be named; else UserError is raised.
    """
    wide = encoding.replace("_", "-").startswith(("utf-16", "utf-32"))
    errors = "surrogatepass" if wide else "surrogateescape"
    with (
        open_bytes(path, packing, member) as (content, raw),
        TextIOWrapper(content, encoding=encoding, errors=errors, newline="") as lines,
    ):
        try:
            yield lines, raw
        except UnicodeError as error:
            raise UserError(f"{path} is not {encoding.upper()}: {reason(error)}; write it anew in UTF-8") from None


def _damaged(path: Path, packing: str | None, error: Exception) -> UserError:
    name = PACKINGS.get(packing or "", packing)
    return UserError(f"{path} is not a whole {name} file (truncated, or not one): {reason(error)}")
