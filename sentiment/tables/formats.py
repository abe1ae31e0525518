"""The formats of tables, known by how a file's name ends."""

from sentiment.core.errors import UserError

FORMATS = ("csv", "tsv", "jsonl", "parquet", "csv.gz", "tsv.gz", "jsonl.gz")
"""Those that are written, and read as well."""
DELIMITERS = {"csv": ",", "tsv": "\t"}
ENDINGS = ", ".join(f".{form}" for form in FORMATS)

KINDS = ("csv", "tsv", "jsonl", "parquet", "json", "txt", "ft", "xlsx")
"""What is read, once it is unpacked. txt is a table, or fastText's lines, which ft always is."""
PACKED = ("gz", "bz2", "zip")
INPUTS = (*KINDS, *(f"{kind}.{packing}" for kind in KINDS for packing in PACKED), "zip")
INPUT_ENDINGS = f"{', '.join(f'.{kind}' for kind in KINDS)}, each also with .gz, .bz2 or .zip"


def find_format(name: str) -> str | None:
    """Return the format that a file's name ends in, or None where it is of none that is written."""
    return _ending(name, FORMATS)


def find_input(name: str) -> str | None:
    """Return the format that a file's name ends in, or None where it is of none that is read."""
    return _ending(name, INPUTS)


def format_of(name: str) -> str:
    """Return the format that a file's name ends in; raise UserError naming those that are written."""
    form = find_format(name)
    if form is None:
        raise UserError(f"{name} is of no known format: its name must end in {ENDINGS}")
    return form


def stem_of(name: str) -> str:
    """Return a table's name without what tells its format: train of Train.ft.txt.bz2, in lower case."""
    stem = name.lower().removesuffix(f".{find_input(name)}")
    return stem.removesuffix(".ft")


def _ending(name: str, forms: tuple[str, ...]) -> str | None:
    fitting = [form for form in forms if name.lower().endswith(f".{form}")]
    return max(fitting, key=len, default=None)
