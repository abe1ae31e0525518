"""Encodings of text: what a file says itself, and what to suggest where it says nothing."""

import codecs
from collections.abc import Iterable
from itertools import islice

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, which it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
LIKELY = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874", "koi8_r", "mac_roman",
    "cp437", "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
"""The encodings that are suggested: those that programs of the last decades wrote. The first wins where others fit as
well: it is that of Western Europe's and America's Windows, and the others differ from it in signs that are rare."""
CLOSE = 0.05
"""Difference of charset-normalizer's measure of disorder up to which two encodings fit equally well."""
ENOUGH = 1000
"""Lines to look at."""
SHOWN = 40


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding that a file's byte order mark names, or None where it has none."""
    return next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)


def unmarked_utf16(head: bytes) -> str | None:
    """Return which UTF-16 the bytes are in that have a NUL beside most letters, or None."""
    for name, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, others = head[place::2], head[1 - place :: 2]
        if len(head) >= 8 and zeros.count(0) > 0.7 * len(zeros) and not others.count(0):
            return name
    return None


def suggest(lines: Iterable[bytes]) -> tuple[str, str] | None:
    """Return the likeliest encoding of lines that aren't all UTF-8, and a piece of them in it, for people to judge.

    None where most letters beyond ASCII are UTF-8, so that the others are damaged.
    """
    from charset_normalizer import from_bytes

    found = list(islice((line for line in lines if not line.isascii()), ENOUGH))
    foreign = [line for line in found if not _is_utf8(line)]
    if not foreign or len(foreign) <= len(found) / 2:
        return None
    matches = from_bytes(b"\n".join(foreign), cp_isolation=LIKELY, threshold=0.5, explain=False)
    fit = min((match.chaos for match in matches), default=0.0) + CLOSE
    names = [name for match in matches if match.chaos <= fit for name in match.could_be_from_charset]
    if not names:
        return None
    name = next((likely for likely in LIKELY[:1] if likely in names), names[0])
    words = foreign[0].decode(name, "replace").split()
    first = next((place for place, word in enumerate(words) if not word.isascii()), 0)
    return name, " ".join(words[max(0, first - 1) : first + 3])[:SHOWN]


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
