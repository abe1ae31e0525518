"""Files of rows in each format, as other programs write them."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.errors import UserError

Rows = list[tuple[str, str]]
ROWS = [("fine, really", "1"), ('he said "no"', "0"), ("two\nlines\r\nor three", "1"), ("naïve 🙂", "0")]


def as_csv(rows: Iterable[Sequence[str]], delimiter: str = ",", **dialect: Any) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, **dialect).writerows([("text", "label"), *rows])
    return file.getvalue().encode()


def as_jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps({"label": label, "text": text}) + "\n" for text, label in rows).encode()


def as_parquet(rows: Rows) -> bytes:
    file = io.BytesIO()
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"id": range(len(rows)), "text": texts, "label": labels}), file)
    return file.getvalue()


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    "csv": as_csv,
    "tsv": lambda rows: as_csv(rows, "\t"),
    "jsonl": as_jsonl,
    "parquet": as_parquet,
    "csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    "tsv.gz": lambda rows: gzip.compress(as_csv(rows, "\t")),
    "jsonl.gz": lambda rows: gzip.compress(as_jsonl(rows)),
}


def put(path: Path, content: bytes | str) -> Path:
    """Write a file and return its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, read: Callable[[], object]) -> str:
    """Return the one line that a file is refused with, less its folder."""
    with pytest.raises(UserError) as caught:
        read()
    message = str(caught.value)
    assert message.isprintable(), message
    return message.replace(f"{path.parent}/", "")
