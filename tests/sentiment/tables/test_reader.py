"""Reading a file's rows, whichever its format, and what becomes of those that can't be read."""

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.tables import reader
from sentiment.tables.formats import FORMATS
from sentiment.tables.reader import Reader
from sentiment.tables.rows import BadRow
from tests.sentiment.tables.files import ROWS, WRITERS, Rows, as_csv, as_jsonl, put, refusal

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text('",\t\n\r a', max_size=8)
DIALECTS = st.just({}) | st.fixed_dictionaries(
    {
        "lineterminator": st.sampled_from(["\n", "\r\n", "\r"]),
        "quoting": st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    }
)
COMPRESSED = [form for form in FORMATS if form.endswith(".gz")]


def read(path: Path, *columns: str) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Return all rows of a file and their numbers; a bad row stops it."""
    batches = list(Reader(path, bad_rows="stop", columns=list(columns or ("text", "label"))))
    rows = [tuple(row.values()) for batch in batches for row in batch.table.to_pylist()]
    return rows, [number for batch in batches for number in batch.numbers.tolist()]


def set_aside(path: Path) -> tuple[pa.Table, list[BadRow], list[int]]:
    """Return the good rows of a file in all columns, the bad ones, and the numbers of the good ones."""
    found = Reader(path, bad_rows="set aside", text="text")
    batches = list(found)
    table = pa.concat_tables([batch.table for batch in batches])
    bad = [row for batch in batches for row in batch.bad]
    assert found.contents.rows == table.num_rows + len(bad)
    return table, bad, [number for batch in batches for number in batch.numbers.tolist()]


def refuse(path: Path) -> str:
    """Return what a file is refused with."""
    return refusal(path, lambda: read(path))


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path: Path, form: str) -> None:
    path = put(tmp_path / f"a.{form}", WRITERS[form](ROWS))
    rows, numbers = read(path)
    assert rows == ROWS
    assert numbers == {"c": [2, 3, 4, 5], "t": [2, 3, 4, 5], "j": [1, 2, 3, 4], "p": [0, 1, 2, 3]}[form[0]]
    table, bad, same_numbers = set_aside(path)
    assert table.select(["text", "label"]).to_pylist() == [{"text": text, "label": label} for text, label in ROWS]
    assert (bad, same_numbers) == ([], numbers)


@pytest.mark.parametrize("form", FORMATS)
def test_batches_are_bounded_and_together_the_whole(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / f"a.{form}", WRITERS[form]([(f"review {i}", str(i % 2)) for i in range(25)]))
    whole = read(path)
    monkeypatch.setattr(reader, "BATCH", 10)
    batches = list(Reader(path, bad_rows="stop", columns=["text", "label"]))
    assert [batch.table.num_rows for batch in batches] == [10, 10, 5]
    assert read(path) == whole
    # What a progress bar shows only grows, and ends with the file.
    done = [batch.done for batch in batches]
    assert done == sorted(done)
    assert done[-1] == path.stat().st_size


def test_a_large_parquet_file_is_read_in_little_memory(tmp_path: Path) -> None:
    texts = pa.array([f"{row:0200}" for row in range(60_000)])
    plain: dict[str, Any] = {"compression": "none", "use_dictionary": False}
    pq.write_table(pa.table({"text": texts}), tmp_path / "reviews.parquet", 20_000, **plain)
    before = pa.total_allocated_bytes()
    peak = max(pa.total_allocated_bytes() for _ in Reader(tmp_path / "reviews.parquet", bad_rows="set aside"))
    assert (tmp_path / "reviews.parquet").stat().st_size > 12_000_000
    assert peak - before < 6_000_000


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "parquet"])
def test_a_byte_order_mark_belongs_to_no_column(tmp_path: Path, form: str) -> None:
    content = WRITERS[form](ROWS)
    marked = b"\xef\xbb\xbf" + (gzip.decompress(content) if form in COMPRESSED else content)
    assert read(put(tmp_path / f"a.{form}", gzip.compress(marked) if form in COMPRESSED else marked))[0] == ROWS


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1), delimiter=st.sampled_from(",\t"), dialect=DIALECTS)
def test_every_quoting_that_a_spreadsheet_writes_gives_the_texts_back(
    tmp_path_factory: pytest.TempPathFactory, rows: Rows, delimiter: str, dialect: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / ("any.csv" if delimiter == "," else "any.tsv")
    assert read(put(path, as_csv(rows, delimiter, **dialect)))[0] == rows


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8))
def test_whatever_a_json_writer_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    assert read(put(tmp_path_factory.getbasetemp() / "any.jsonl", as_jsonl(rows)))[0] == rows


@given(
    content=st.binary(max_size=60) | st.text('text,label\n"10\t{}:[]\r\\\0', max_size=40).map(str.encode),
    bad_rows=st.sampled_from(["stop", "set aside"]),
    columns=st.sampled_from([["wanted"], None]),
)
@pytest.mark.parametrize("form", FORMATS)
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, form: str, bad_rows: Any, columns: list[str] | None, content: bytes
) -> None:
    path = put(tmp_path_factory.getbasetemp() / f"bytes.{form}", content)
    try:
        batches = list(Reader(path, bad_rows=bad_rows, columns=columns, text="text"))
    except UserError as error:
        message = str(error)
    else:
        message = path.name
        assert columns is None or not any(batch.table.num_rows for batch in batches)
        assert bad_rows == "set aside" or not any(batch.bad for batch in batches)
        "".join(row.as_json() for batch in batches for row in batch.bad).encode()
    assert message.isprintable()
    assert path.name in message


@pytest.mark.parametrize("form", [*COMPRESSED, "parquet"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, share: float) -> None:
    content = WRITERS[form]([(f'a "review" of {i} words', "1") for i in range(200)])
    path = put(tmp_path / f"a.{form}", content[: int(len(content) * share)])
    sentence = rf"a\.{form} is not a whole (gzip file|parquet file .*; export or download it anew$)"
    assert re.match(sentence, refuse(path))
    assert re.match(sentence, refusal(path, lambda: set_aside(path)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "text,label\ngood, very,1\n",
            "row 2: 3 fields from line 2 on, but the header has 2: put quotes around a field",
        ),
        ('text,label\n"a\n",1\n\nb\n', "row 4: 1 fields from line 5 on, but the header has 2"),
        ('text,label\n"a\nb",1\n"c" d,0\n', "row 3 (from line 4): ',' expected after '\"'"),
        (
            'text,label\n"never closed,1\nb,0\n',
            "row 2 (from line 2): unexpected end of data; a field that has quotes in",
        ),
        # Read leniently, this would be one row, and the second review would be lost in the text of the first.
        ('text,label\n"a,1\n"b",0\n', "row 2 (from line 2): ',' expected after '\"'"),
        (f'text,label\na,1\n"{"x" * 1_000_001}', "row 3 (from line 3): field larger than field limit (1000000)"),
    ],
)
def test_a_bad_row_of_a_csv_file_is_refused_with_its_number(tmp_path: Path, content: str, problem: str) -> None:
    assert refuse(put(tmp_path / "a.csv", content)).startswith(f"a.csv, {problem}")


def test_a_misplaced_quote_is_refused_even_where_bad_rows_are_set_aside(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'text\n"a" b\n')
    assert refusal(path, lambda: set_aside(path)).startswith("a.csv, row 2 (from line 2): ',' expected after '\"'")
    path = put(tmp_path / "a.csv", f'text\n"{"x" * 10_000_001}')
    assert "field larger than field limit (10000000)" in refusal(path, lambda: set_aside(path))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "a" "label": 1}', "row 3: not JSON, one object per line: Expecting ',' delimiter"),
        ('{"text": ["a"], "label": 1}', "row 3: text is ['a'], but must be text or a number"),
        ('{"text": "a", "label": {"stars": 1}}', "row 3: label is {'stars': 1}, but must be text or a number"),
        ('{"text": "\\ud800", "label": 1}', "row 3: text is not UTF-8; write it anew in UTF-8"),
    ],
)
def test_a_bad_row_of_a_jsonl_file_is_refused_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    path = put(tmp_path / "a.jsonl", f'{{"text": "fine", "label": 1}}\n\n{line}\n')
    assert refuse(path).startswith(f"a.jsonl, {problem}")


@pytest.mark.parametrize(
    ("name", "content", "good", "bad"),
    [
        (
            "a.csv",
            b"id,text\n1,a\n2\n\n3,b,c\n4,d\xff\n5,e",
            [2, 7],
            {3: "1 fields from line 3", 5: "3 fields from line 5 on, but the header has 2", 6: "text is not UTF-8"},
        ),
        ("a.tsv", b"text\tid\na\t1\nb\n", [2], {3: "1 fields"}),
        (
            "a.jsonl",
            b'{"text": "a"}\n\n{"text": 5}\n[1]\n{"text"\n{"text": "\\ud83d"}\n{"text": "\xff"}\n{"text": null}\n'
            b'{"n": ["\\ud83d"]}\n{"\\ud83d": 1}\n{"text": null, "n": ' + b"[" * 100_000,
            [1, 8],
            {
                3: "text is 5, but must be text",
                4: "it is [1], but must be a JSON object",
                5: "not JSON, one object per line: Expecting ':' delimiter",
                6: "text is not UTF-8",
                7: "text is not UTF-8",
                9: "n is not UTF-8",
                10: r"'\ud83d' is not UTF-8",
                11: "not JSON, one object per line: ",
            },
        ),
    ],
)
def test_bad_rows_are_set_aside_by_number(
    tmp_path: Path, name: str, content: bytes, good: list[int], bad: dict[int, str]
) -> None:
    _, rejected, numbers = set_aside(put(tmp_path / name, content))
    assert numbers == good
    assert [row.row for row in rejected] == list(bad)
    for row in rejected:
        assert row.reason.startswith(bad[row.row])
        assert set(json.loads(row.as_json().encode())) == {"row", "reason", "content"}


def test_only_what_is_read_must_be_legal(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", b"text,label,other\nfine,1,\xff\n")
    assert read(path)[0] == [("fine", "1")]
    path = put(tmp_path / "a.jsonl", b'{"text": "fine", "label": 1}\n{"text": "dull", "label": 0, "n": ["\\ud83d"]}\n')
    assert read(path)[0] == [("fine", "1"), ("dull", "0")]


def test_json_values_of_named_columns_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", '{"text": "a", "label": true}\n{"label": 4.5, "text": null}\n{"label": 3}\n')
    assert read(path)[0] == [("a", "true"), (None, "4.5"), (None, "3")]


def test_parquet_text_that_is_not_utf8_is_refused_where_no_check_of_reviews_follows(tmp_path: Path) -> None:
    buffers = pa.array([b"fine", b"\xff"], pa.binary()).buffers()
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.Array.from_buffers(pa.string(), 2, buffers)}), path)
    assert re.fullmatch(
        r"a\.parquet, row 0 or after it: .*Invalid UTF8 sequence.*; write it anew in UTF-8",
        refusal(path, lambda: set_aside(path)),
    )


@pytest.mark.parametrize("form", FORMATS)
def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, form: str) -> None:
    path = put(tmp_path / f"a.{form}", WRITERS[form](ROWS))
    message = refusal(path, lambda: Reader(path, bad_rows="stop", columns=["text", "stars"], hint="; a hint"))
    listed = "(label, text|(id, )?text, label)"
    assert re.fullmatch(rf"a\.{form} has no column stars: its columns are {listed}; a hint", message)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            f'"{"very " * 200}good\n",1\n'.encode(),
            f" has no column text, label: its columns are {('very ' * 8)!r}, 1; its first row looks like data (1 is a "
            "number): if it has no header, name its columns, as in columns text,label",
        ),
        (b"text,text,label\na,b,1\n", " has the column text twice: give each a name of its own"),
        (
            b"text\xff,label\nfine,1\n",
            ": the names of its columns are not UTF-8; try encoding cp1252, in which it has “textÿ,label”, or write it "
            "anew in UTF-8",
        ),
        (b"\n", " has no header: its first row must name the columns"),
        (b"", " is empty: give a file with the columns text, label"),
    ],
)
def test_a_header_that_does_not_name_the_columns_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    assert refuse(put(tmp_path / "a.csv", content)) == f"a.csv{problem}"


def test_where_all_columns_are_read_each_has_a_name_of_its_own(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", as_csv(ROWS).replace(b"label", b"text"))
    assert refusal(path, lambda: set_aside(path)) == "a.csv has the column text twice: give each a name of its own"
    path = put(tmp_path / "b.csv", b"")
    assert refusal(path, lambda: set_aside(path)) == "b.csv is empty: give a file with rows"


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_text_of_named_columns_is_text_however_parquet_stores_it(tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array(["a", "b"])
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    (batch,) = Reader(tmp_path / "a.parquet", bad_rows="stop", columns=["text"])
    assert batch.table.schema.types == [pa.string()]


def test_where_all_columns_are_read_parquet_keeps_its_types(tmp_path: Path) -> None:
    nested = pa.array([{"a": [1]}, None])
    table = pa.table({"text": pa.array(["x", None], pa.large_string()), "n": pa.array([1, 2], pa.int8()), "o": nested})
    pq.write_table(table, tmp_path / "a.parquet")
    assert set_aside(tmp_path / "a.parquet")[0] == table
