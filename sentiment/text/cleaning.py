"""How a text is cleaned before anything reads it."""

import pyarrow as pa
import pyarrow.compute as pc

from sentiment.core.params import Cleaning

# The characters themselves, as each library escapes them in its own way.
CONTROL_CHARACTERS = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
BLANK = "[\t\n\f\r ]"
LINE_BREAKS = f"{BLANK}*(<[bB][rR]{BLANK}*/?>{BLANK}*)+"


def clean(text: pa.Array, cleaning: Cleaning) -> pa.Array:
    """Clean an array of strings: control characters become blanks, Unicode NFC; strip blanks from both ends.

    Line breaks of web pages become blanks where `cleaning` says so. Line ends and tabs stay.
    """
    text = pc.replace_substring_regex(text, CONTROL_CHARACTERS, " ")
    if cleaning.html_breaks:
        text = pc.replace_substring_regex(text, LINE_BREAKS, " ")
    return pc.utf8_trim_whitespace(pc.utf8_normalize(text, "NFC"))
