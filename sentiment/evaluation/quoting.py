"""Reviews quoted in lists that people read: on one line, shortened, and shown as what they are."""

import re

WIDTH = 240
SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~&$!]")


def quote(text: str) -> str:
    """Return the text on one line, cut to WIDTH characters, between words where there are any."""
    line = " ".join(text.split())
    if len(line) <= WIDTH:
        return line
    words, blank, _ = line[:WIDTH].rpartition(" ")
    return f"{words} …" if blank else f"{line[: WIDTH - 1]}…"


def escape_markdown(text: str) -> str:
    """Return the text so that Markdown shows its characters and obeys none."""
    return SPECIAL.sub(r"\\\g<0>", text)
