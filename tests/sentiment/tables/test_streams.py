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
from sentiment.tables.streams import FORMATS, Reader, Rejected, format_of, writer

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
TABLES = st.lists(st.fixed_dictionaries({"text": TEXT, 'né, "m"': TEXT}), min_size=1, max_size=5)


def written(path: Path, form: str, table: pa.Table) -> Path:
    with path.open("wb") as file, writer(file, form, table.schema, set()) as write:
        write(table)
    return path


def read(path: Path, form: str) -> tuple[pa.Table, list[Rejected], list[int]]:
    reader = Reader(path, form, "text")
    batches = list(reader)
    table = pa.concat_tables([batch.table for batch in batches])
    rejected = [row for batch in batches for row in batch.rejected]
    assert reader.rows == table.num_rows + len(rejected)
    return table, rejected, [number for batch in batches for number in batch.numbers]


@pytest.mark.parametrize("form", FORMATS)
@given(rows=TABLES)
def test_what_is_written_in_a_format_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, form: str, rows: list[dict[str, str]]
) -> None:
    table = pa.Table.from_pylist(rows)
    found, rejected, _ = read(written(tmp_path_factory.mktemp("files") / "file", form, table), form)

    assert found == table
    assert rejected == []


@pytest.mark.parametrize("form", FORMATS)
def test_equal_rows_give_equal_bytes(tmp_path: Path, form: str) -> None:
    table = pa.table({"text": ["good", "bad"] * 99})

    assert written(tmp_path / "a", form, table).read_bytes() == written(tmp_path / "b", form, table).read_bytes()


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    nested = pa.array([{"a": [1]}, None])
    table = pa.table({"text": pa.array(["x", None], pa.large_string()), "n": pa.array([1, 2], pa.int8()), "o": nested})
    pq.write_table(table, tmp_path / "file.parquet")

    assert read(tmp_path / "file.parquet", "parquet")[0] == table


def test_jsonl_columns_have_the_type_that_fits_all_their_values(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"text": "a", "whole": 1, "number": 1, "flag": True, "mixed": "x", "nested": {"é": [1]}},
        {"text": "b", "number": 2.5, "flag": None, "mixed": 3, "late": "here"},
        {"text": "c", "whole": 2**70},
    ]
    path = tmp_path / "file.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    reader = Reader(path, "jsonl", "text")
    (batch,) = reader

    assert dict(zip(reader.schema.names, map(str, reader.schema.types), strict=True)) == {
        "text": "string",
        "whole": "string",
        "number": "double",
        "flag": "bool",
        "mixed": "string",
        "nested": "string",
        "late": "string",
    }
    with (tmp_path / "copy").open("wb") as file, writer(file, "jsonl", reader.schema, reader.json) as write:
        write(batch.table)
    copies = [json.loads(line) for line in (tmp_path / "copy").read_text().splitlines()]
    assert copies == [dict.fromkeys(reader.schema.names) | record for record in records]


@pytest.mark.parametrize(
    ("form", "content", "good", "bad"),
    [
        (
            "csv",
            b"id,text\n1,a\n2\n\n3,b,c\n4,d\xff\n5,e",
            [2, 7],
            {3: "has 1 fields", 5: "has 3 fields", 6: "not UTF-8"},
        ),
        ("tsv", b"text\tid\na\t1\nb\n", [2], {3: "has 1 fields instead of 2"}),
        (
            "jsonl",
            b'{"text": "a"}\n\n{"text": 5}\n[1]\n{"text"\n{"text": "\\ud83d"}\n{"text": "\xff"}\n{"text": null}',
            [1, 8],
            {3: "the text is no text", 4: "not a JSON object", 5: "not JSON", 6: "not JSON in UTF-8", 7: "not JSON"},
        ),
    ],
)
def test_rows_that_are_no_records_are_set_aside_by_number(
    tmp_path: Path, form: str, content: bytes, good: list[int], bad: dict[int, str]
) -> None:
    (tmp_path / "file").write_bytes(content)
    _, rejected, numbers = read(tmp_path / "file", form)

    assert numbers == good
    assert [row.row for row in rejected] == list(bad)
    for row in rejected:
        assert bad[row.row] in row.reason
        json.dumps(vars(row), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("csv", b"", "is empty: give a file with rows"),
        ("csv", b'text\n"open', "row 2 (from line 2): unexpected end of data; a field that has quotes in it must"),
        ("csv", b'text\n"a" b\n', "row 2 (from line 2): ',' expected after '\"'"),
        ("csv", b"\xff\n", "has no header: its first row must name the columns"),
        ("csv", b"text,a,a\n", "has the column a twice: give each a name of its own"),
        ("csv.gz", b"text\n", "is not a whole gzip file (truncated, or not one): Not a gzipped file"),
        ("jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 9, mtime=0)[:-9], "is not a whole gzip file"),
        ("parquet", b"PAR1", "is not a whole parquet file (truncated, or another format)"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, form: str, content: bytes, message: str
) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(UserError, match=rf"^{re.escape(str(tmp_path / 'file'))}[^\n]*{re.escape(message)}[^\n]*$"):
        read(tmp_path / "file", form)


@pytest.mark.parametrize(("name", "form"), [("a.csv", "csv"), ("b.v2.JSONL.GZ", "jsonl.gz"), ("c.parquet", "parquet")])
def test_a_name_tells_the_format(name: str, form: str) -> None:
    assert format_of(name) == form


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"^reviews\.xlsx is of no known format: its name must end in \.csv, \.tsv"):
        format_of("reviews.xlsx")


def test_a_large_parquet_file_is_read_in_little_memory(tmp_path: Path) -> None:
    texts = pa.array([f"{row:0200}" for row in range(60_000)])
    plain: dict[str, Any] = {"compression": "none", "use_dictionary": False}
    pq.write_table(pa.table({"text": texts}), tmp_path / "reviews.parquet", 20_000, **plain)
    before = pa.total_allocated_bytes()

    peak = max(pa.total_allocated_bytes() for _ in Reader(tmp_path / "reviews.parquet", "parquet", "text"))

    assert (tmp_path / "reviews.parquet").stat().st_size > 12_000_000
    assert peak - before < 6_000_000
