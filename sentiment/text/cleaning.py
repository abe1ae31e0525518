"""What counts as a text, and how it is cleaned before anything reads it."""

import pyarrow as pa
import pyarrow.compute as pc

from sentiment.params import Cleaning

MAX_CHARACTERS = 1_000_000


LINE_BREAKS = r"(?i)\s*(<br\s*/?>\s*)+"


CONTROL_CHARACTERS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"


def is_text(value: object) -> bool:
    """Say whether a value is a string that can be written as UTF-8: one without half of a surrogate pair."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))


def clean(text: pa.Array, cleaning: Cleaning) -> pa.Array:
    """Clean an array of strings as the parameters say, and strip blanks from both ends."""
    if cleaning.control_characters:
        text = pc.replace_substring_regex(text, CONTROL_CHARACTERS, " ")
    if cleaning.html_breaks:
        text = pc.replace_substring_regex(text, LINE_BREAKS, " ")
    if cleaning.unicode_nfc:
        text = pc.utf8_normalize(text, "NFC")
    return pc.utf8_trim_whitespace(text)
