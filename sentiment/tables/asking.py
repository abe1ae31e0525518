"""What a refusal tells people to write, which depends on where they are: a parameter, an option or a field."""

from collections.abc import Callable

Ask = Callable[[str, str], str]
"""From an option of `Reading` and a value (columns with commas between them) to the words that set it."""


def as_field(name: str, value: str) -> str:
    """Return what sets an option on the page, or wherever it has its bare name."""
    return f"{name} {value}"


def as_flag(name: str, value: str) -> str:
    """Return what sets an option of a command."""
    return f"--{name} {value}"


def as_parameter(name: str, value: str) -> str:
    """Return what sets an option of the download."""
    return f"-S 'download.{name}=[{value}]'" if name == "columns" else f"-S download.{name}={value}"


def as_entry(name: str, value: str) -> str:
    """Return what sets an option in a dataset's entry in the catalog."""
    return f"{name}: [{value}] in catalog.yaml" if name == "columns" else f"{name}: {value} in catalog.yaml"
