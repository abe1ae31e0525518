"""Quote reviews in lists for people: on one line, shortened, and safe in Markdown."""

import re

WIDTH = 240
SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&$!]")


def quote(text: str) -> str:
    """Return the text on one line, cut to WIDTH characters, between words if there are any."""
    line = " ".join(text.split())
    if len(line) <= WIDTH:
        return line
    words, blank, _ = line[:WIDTH].rpartition(" ")
    return f"{words} …" if blank else f"{line[: WIDTH - 1]}…"


def escape_markdown(text: str) -> str:
    """Return the text with escapes, so that Markdown shows it as it is."""
    return SPECIAL.sub(r"\\\g<0>", text)
