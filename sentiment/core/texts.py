"""What counts as a text."""

MAX_CHARACTERS = 1_000_000
"""The most that a review may have."""


def is_text(value: object) -> bool:
    """Say whether a value is a string that can be written as UTF-8: one without half of a surrogate pair."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
