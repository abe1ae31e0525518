"""Which encoding a file is read in, and what to say of bytes that aren't of it."""

import codecs
from collections.abc import Iterator

from sentiment.core.errors import UserError, abridge
from sentiment.core.reading import Reading
from sentiment.tables.asking import Ask
from sentiment.tables.encodings import suggest, unmarked_utf16
from sentiment.tables.folders import Folder
from sentiment.tables.rows import ANEW
from sentiment.tables.source import Source

SAMPLE = 1_000_000


def encoding_of(source: Source, reading: Reading, ask: Ask) -> tuple[str, list[str]]:
    """Return a file's encoding, and notes on it: what its byte order mark says, else what `reading` does, else UTF-8.

    What is UTF-8 beyond ASCII is nothing else, and read so whatever `reading` says. Raises UserError for UTF-16 without
    a byte order mark unless `reading` says so.
    """
    if source.kind in {"parquet", "xlsx"}:
        return "utf-8", []
    if source.kind == "folder":
        return reading.encoding or "utf-8-sig", []
    if source.marked:
        return source.marked, []
    with source.open_bytes() as (content, _):
        head = content.read(SAMPLE)
    if reading.encoding is None:
        if wide := unmarked_utf16(head[:1000]):
            raise UserError(f"{source.path} is UTF-16 without a byte order mark, as it seems: {ask('encoding', wide)}")
        return "utf-8", []
    if _is_utf8_beyond_ascii(head) and codecs.lookup(reading.encoding).name != "utf-8":
        return "utf-8", [f"{source.path} is read in UTF-8, which it is, and not in {reading.encoding}"]
    return reading.encoding, []


def remedy(source: Source, encoding: str, ask: Ask) -> str:
    """Return what to do about bytes that aren't of a file's encoding: say another where one is likely."""
    found = suggest(_raw_lines(source)) if encoding in {"utf-8", "utf-8-sig"} else None
    if found is None:
        return ANEW
    name, piece = found
    return f"try {ask('encoding', name)}, in which it has “{abridge(piece)}”, or {ANEW}"


def _raw_lines(source: Source) -> Iterator[bytes]:
    if source.kind == "folder":
        for path, _ in Folder(source, "utf-8").files():
            yield from path.read_bytes().splitlines()
    elif source.kind not in {"parquet", "xlsx"}:
        with source.open_bytes() as (content, _):
            yield from content


def _is_utf8_beyond_ascii(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not head.isascii()
