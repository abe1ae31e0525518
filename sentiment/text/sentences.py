"""Where a text's sentences begin and end, and the parts that they make."""

import re
from itertools import pairwise

BETWEEN = re.compile(r"(?<=[.!?…])\s+|(?<=[.!?…][\"')\]])\s+|\n+")


def sentences_of(text: str) -> list[slice]:
    """Return the slices of a text that are its sentences, with the blanks after them; blank ones are left out."""
    ends = [gap.end() for gap in BETWEEN.finditer(text)]
    places = [slice(start, stop) for start, stop in pairwise([0, *ends, len(text)])]
    return [place for place in places if text[place].strip()]


def sentences(text: str) -> list[str]:
    """Return a text's sentences, without the blanks around them."""
    return [text[place].strip() for place in sentences_of(text)]


def parts(text: str, count: int) -> list[str]:
    """Cut a text between sentences into `count` parts of similar length, or fewer if it has too few sentences.

    Each cut is at the end of the sentence that is closest to where an even cut would be.
    """
    if count == 1:
        return [text]
    *ends, last = [place.stop for place in sentences_of(text)] or [len(text)]
    if not ends:
        return [text]
    shares = (last * part / count for part in range(1, count))
    cuts = sorted({min(ends, key=lambda end: abs(end - share)) for share in shares})
    return [text[start:stop].strip() for start, stop in pairwise([0, *cuts, last])]
