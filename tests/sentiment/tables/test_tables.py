import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment import tables
from sentiment.core.errors import UserError
from sentiment.tables.tables import read_batches, suffix_of

ROWS = [("fine, really", "1"), ('he said "no"', "0"), ("two\nlines\r\nor three", "1"), ("naïve 🙂", "0")]
Rows = list[tuple[str, str]]


def as_csv(rows: Rows, delimiter: str = ",") -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([("text", "label"), *rows])
    return file.getvalue().encode()


def as_jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps({"label": label, "text": text}) + "\n" for text, label in rows).encode()


def as_parquet(rows: Rows) -> bytes:
    file = io.BytesIO()
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"id": range(len(rows)), "text": texts, "label": labels}), file)
    return file.getvalue()


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    ".csv": as_csv,
    ".tsv": lambda rows: as_csv(rows, "\t"),
    ".jsonl": as_jsonl,
    ".csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    ".tsv.gz": lambda rows: gzip.compress(as_csv(rows, "\t")),
    ".jsonl.gz": lambda rows: gzip.compress(as_jsonl(rows)),
    ".parquet": as_parquet,
}


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Write a file of a name with a content."""

    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path: Path, *columns: str) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Return all rows of a file and their numbers."""
    batches = list(read_batches(path, list(columns or ("text", "label"))))
    rows = [tuple(row.values()) for batch in batches for row in batch.table.to_pylist()]
    return rows, [int(number) for batch in batches for number in batch.rows]


def refusal(path: Path, *columns: str) -> str:
    """Return what a file is refused with, less the folder."""
    with pytest.raises(UserError) as caught:
        read(path, *columns)
    message = str(caught.value)
    message.encode()
    return message.replace(f"{path.parent}/", "")


def test_every_ending_has_a_writer_here() -> None:
    assert set(WRITERS) == set(tables.SUFFIXES)


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_rows(file: Callable[..., Path], suffix: str) -> None:
    path = file(f"a{suffix}", WRITERS[suffix](ROWS))
    rows, numbers = read(path)
    assert rows == ROWS
    assert numbers == {"c": [2, 3, 4, 5], "t": [2, 3, 4, 5], "j": [1, 2, 3, 4], "p": [0, 1, 2, 3]}[suffix[1]]


@pytest.mark.parametrize("suffix", WRITERS)
def test_batches_are_bounded_and_together_the_whole(
    file: Callable[..., Path], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"review {i}", str(i % 2)) for i in range(25)]
    path = file(f"a{suffix}", WRITERS[suffix](rows))
    whole = read(path)
    monkeypatch.setattr(tables, "BATCH_ROWS", 10)
    batches = list(read_batches(path, ["text", "label"]))
    assert [batch.table.num_rows for batch in batches] == [10, 10, 5]
    assert read(path) == whole
    # What the progress bar shows only grows, and ends with the file.
    done = [batch.read for batch in batches]
    assert done == sorted(done)
    assert done[-1] == path.stat().st_size


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix != ".parquet"])
def test_a_byte_order_mark_belongs_to_no_column(file: Callable[..., Path], suffix: str) -> None:
    content = WRITERS[suffix](ROWS)
    plain = gzip.decompress(content) if suffix.endswith("gz") else content
    marked = b"\xef\xbb\xbf" + plain
    assert read(file(f"a{suffix}", gzip.compress(marked) if suffix.endswith("gz") else marked))[0] == ROWS


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text('",\t\n\r a', max_size=8)


@given(rows=st.lists(st.tuples(TEXTS, st.sampled_from("01")), min_size=1, max_size=8), dialect=st.sampled_from("ct"))
def test_whatever_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: Rows, dialect: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{dialect}sv"
    path.write_bytes(WRITERS[f".{dialect}sv"](rows))
    assert read(path)[0] == rows


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8))
def test_whatever_a_json_writer_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(as_jsonl(rows))
    assert read(path)[0] == rows


@given(content=st.binary(max_size=60) | st.text('text,label\n"10\t{}:[]', max_size=40).map(str.encode))
@pytest.mark.parametrize("suffix", WRITERS)
def test_any_bytes_hold_no_rows_or_are_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"bytes{suffix}"
    path.write_bytes(content)
    try:
        outcome = str(read(path, "wanted"))
    except UserError as error:
        outcome = str(error)
    assert outcome == "([], [])" or (outcome.isprintable() and path.name in outcome)


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.gz", ".jsonl.gz", ".parquet"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_refused(file: Callable[..., Path], suffix: str, share: float) -> None:
    content = WRITERS[suffix]([(f'a "review" of {i} words', "1") for i in range(200)])
    message = refusal(file(f"a{suffix}", content[: int(len(content) * share)]))
    assert re.match(rf"a{suffix} is not a whole (gzip|parquet) file \(truncated, or ", message)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("text,label\ngood, very,1\n", "row 2 (from line 2) has 3 fields, but the header has 2: put quotes around"),
        ("text,label\na,1\n\nb\n", "row 4 (from line 4) has 1 fields, but the header has 2"),
        ('text,label\n"a\nb",1\n"c" d,0\n', "row 3 (from line 4): ',' expected after '\"'"),
        ('text,label\n"never closed,1\nb,0\n', "row 2 (from line 2): unexpected end of data"),
        # Read leniently, this would be one row, and the second review would be lost in the text of the first.
        ('text,label\n"a,1\n"b",0\n', "row 2 (from line 2): ',' expected after '\"'"),
        (f'text,label\na,1\n"{"x" * 1_000_001}', "row 3 (from line 3): field larger than field limit (1000000)"),
    ],
)
def test_a_bad_row_of_a_csv_file_is_refused_with_its_number(
    file: Callable[..., Path], content: str, problem: str
) -> None:
    message = refusal(file("a.csv", content))
    assert message.startswith(f"a.csv, {problem}")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "a" "label": 1}', "row 3 is not JSON, one object per line: Expecting ',' delimiter"),
        ("[1, 2]", "row 3 is [1, 2], but must be a JSON object"),
        ('{"text": ["a"], "label": 1}', "row 3: text is ['a'], but must be text or a number"),
        ('{"text": "a", "label": {"stars": 1}}', "row 3: label is {'stars': 1}, but must be text or a number"),
        ('{"text": "\\ud800", "label": 1}', "row 3: text is not UTF-8; write it anew in UTF-8"),
        ("[" * 100_000, "row 3 is not JSON, one object per line: "),
    ],
)
def test_a_bad_row_of_a_jsonl_file_is_refused_with_its_line(file: Callable[..., Path], line: str, problem: str) -> None:
    message = refusal(file("a.jsonl", f'{{"text": "fine", "label": 1}}\n\n{line}\n'))
    assert message.startswith(f"a.jsonl, {problem}")


def test_json_values_are_read_as_they_are_written(file: Callable[..., Path]) -> None:
    content = '{"text": "a", "label": true}\n{"label": 4.5, "text": null}\n{"label": 3}\n'
    assert read(file("a.jsonl", content))[0] == [("a", "true"), (None, "4.5"), (None, "3")]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_text_of_another_encoding_is_refused_with_its_row(file: Callable[..., Path], suffix: str) -> None:
    content = "text,label\nfine,1\nnaïve,0\n".encode("latin-1")
    path = file(f"a{suffix}", gzip.compress(content) if suffix == ".csv.gz" else content)
    assert refusal(path) == f"a{suffix}, row 3: text is not UTF-8; write it anew in UTF-8"


def test_a_spreadsheets_unicode_text_is_refused_as_a_whole(file: Callable[..., Path]) -> None:
    path = file("a.tsv", "text\tlabel\nfine\t1\n".encode("utf-16"))
    assert refusal(path) == "a.tsv: the names of its columns are not UTF-8; write it anew in UTF-8"


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_column_that_is_not_there_is_refused_with_those_that_are(file: Callable[..., Path], suffix: str) -> None:
    path = file(f"a{suffix}", WRITERS[suffix](ROWS))
    with pytest.raises(UserError) as caught:
        list(read_batches(path, ["text", "stars"], "; a hint"))
    assert re.fullmatch(
        rf"{re.escape(str(path))} has no column stars: its columns are (label, text|(id, )?text, label); a hint",
        str(caught.value),
    )


def test_a_file_without_a_header_is_refused_with_the_beginning_of_its_first_row(file: Callable[..., Path]) -> None:
    assert refusal(file("a.csv", f'"{"very " * 200}good\n",1\n')) == (
        f"a.csv has no column text, label: its columns are {('very ' * 8)!r}, 1"
    )


def test_a_column_that_is_there_twice_is_refused(file: Callable[..., Path]) -> None:
    assert refusal(file("a.csv", "text,text,label\na,b,1\n")) == (
        "a.csv has the column text twice: give each a name of its own"
    )


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_empty_file_is_refused_with_the_columns_it_needs(file: Callable[..., Path], suffix: str) -> None:
    assert refusal(file(f"a{suffix}", b"")) == f"a{suffix} is empty: give a file with the columns text, label"


def test_a_file_without_a_known_ending_is_refused_with_the_known_ones(file: Callable[..., Path]) -> None:
    assert refusal(file("a.xlsx", "text")) == (
        "a.xlsx is of no known format: its name must end in .csv, .tsv, .jsonl, .csv.gz, .tsv.gz, .jsonl.gz, .parquet"
    )
    assert suffix_of("Reviews.CSV.GZ") == ".csv.gz"


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_text_is_text_however_parquet_stores_it(file: Callable[..., Path], kind: pa.DataType) -> None:
    column = pa.array(["a", "b"])
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    pq.write_table(pa.table({"text": column}), path := file("a.parquet", b""))
    (batch,) = read_batches(path, ["text"])
    assert batch.table.schema.types == [pa.string()]


def test_the_names_of_label_numbers_are_read_where_a_file_has_them(file: Callable[..., Path]) -> None:
    path = file("a.parquet", b"")
    content = {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}, "text": {}}}}
    table = pa.table({"label": [0, 1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(content)}), path)
    assert tables.declared_names(path, "label") == ["neg", "pos"]
    assert tables.declared_names(path, "text") == []
    for metadata in ({}, {"huggingface": "{"}, {"huggingface": "[]"}):
        pq.write_table(table.replace_schema_metadata(metadata), path)
        assert tables.declared_names(path, "label") == []
