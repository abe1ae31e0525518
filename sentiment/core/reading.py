"""How to read a file that doesn't say so itself: its encoding, its delimiter, and the names of its columns."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sentiment.core.schemas import Name, Strict

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""The delimiters that have a word, which shells and DVC's command line leave alone."""


def delimiter_word(sign: str) -> str:
    """Return what to write for a delimiter."""
    return next((word for word, known in DELIMITERS.items() if known == sign), repr(sign))


def _encoding(name: str) -> str:
    try:
        if "a".encode(name):
            return name
    except (LookupError, ValueError):
        pass
    raise ValueError(f"the name of one of Python's encodings, such as cp1252 or utf-16, not {name!r:.40}")


def _delimiter(sign: Any) -> Any:
    return {"\\t": "\t", **DELIMITERS}.get(sign, sign) if isinstance(sign, str) else sign


def _usable(sign: str) -> str:
    if len(sign) != 1 or sign.isalnum() or sign in '"\\\r\n\0':
        raise ValueError(f"{', '.join(DELIMITERS)}, or another single sign, not {sign!r:.40}")
    return sign


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError(f"each column once, not {', '.join(names)}")
    return names


Encoding = Annotated[str, AfterValidator(_encoding)]
Delimiter = Annotated[str, BeforeValidator(_delimiter), AfterValidator(_usable)]
Columns = Annotated[list[Name], Field(min_length=1), AfterValidator(_each_once)]


class Reading(Strict):
    """What is said about files; None leaves it to each file."""

    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    columns: Columns | None = None
