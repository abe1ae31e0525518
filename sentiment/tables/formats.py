"""The formats of tables, known by how a file's name ends."""

from sentiment.core.errors import UserError

FORMATS = ("csv", "tsv", "jsonl", "parquet", "csv.gz", "tsv.gz", "jsonl.gz")
DELIMITERS = {"csv": ",", "tsv": "\t"}
ENDINGS = ", ".join(f".{form}" for form in FORMATS)


def find_format(name: str) -> str | None:
    """Return the format that a file's name ends in, or None where it is of none."""
    return next((form for form in FORMATS if name.lower().endswith(f".{form}")), None)


def format_of(name: str) -> str:
    """Return the format that a file's name ends in; raise UserError naming those that there are."""
    form = find_format(name)
    if form is None:
        raise UserError(f"{name} is of no known format: its name must end in {ENDINGS}")
    return form
