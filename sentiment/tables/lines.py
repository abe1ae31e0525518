"""Text files, compressed or not, as lines of UTF-8."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from sentiment.core.errors import UserError, reason


@contextmanager
def open_lines(path: Path, *, compressed: bool) -> Iterator[tuple[TextIOWrapper, IO[bytes]]]:
    """Open a file for its lines, and for the bytes that they come from, whose `tell` shows how far reading has come.

    What isn't UTF-8 becomes surrogates, so that its row can be named. Raises UserError where a compressed file is
    damaged.
    """
    with path.open("rb") as raw:
        content: Any = gzip.GzipFile(fileobj=raw) if compressed else raw
        with TextIOWrapper(content, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            try:
                yield lines, raw
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise UserError(f"{path} is not a whole gzip file (truncated, or not one): {reason(error)}") from None
