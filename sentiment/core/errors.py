"""Errors that are written for the person who reads them."""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A mistake that its reader can fix: what is wrong, where, what is legal, what to do."""


def reason(error: BaseException) -> str:
    """Return the first line of a library's error, or its type if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def abridge(name: str) -> str:
    """Return a name or a label as an error shows it: on one line, and not all of what turns out to be a review."""
    return name[:40] if name.isprintable() and name.strip() else repr(name[:40])


def setting(key: str, value: str) -> str:
    """Return -S KEY=VALUE for DVC's command line, with the quotes that DVC and a shell need."""
    if re.fullmatch(r"[\w/.@ -]+", value, re.ASCII):
        return f"-S {key}={shlex.quote(value)}"
    quoted = "'" + value.replace("'", r"\'") + "'"
    return f'-S "{key}={quoted}"' if not set('"$`\\!') & set(value) else f"-S {shlex.quote(f'{key}={quoted}')}"


@contextmanager
def loading(folder: Path | str, content: str) -> Iterator[None]:
    """Turn whatever a loader raises for a missing or damaged file into a UserError that names folder and content."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder} holds no usable {content}: {reason(error)}; dvc repro makes it anew") from None
