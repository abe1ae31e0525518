"""Writing rows in each format, and reading them back."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.errors import UserError
from sentiment.tables.formats import FORMATS, find_format, format_of
from sentiment.tables.reader import Reader
from sentiment.tables.writer import open_writer

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)
TABLES = st.lists(st.fixed_dictionaries({"text": TEXT, 'né, "m"': TEXT}), min_size=1, max_size=5)


def write(path: Path, table: pa.Table) -> Path:
    with path.open("wb") as file, open_writer(file, format_of(path.name), table.schema) as append:
        append(table)
    return path


@pytest.mark.parametrize("form", FORMATS)
@given(rows=TABLES)
def test_what_is_written_in_a_format_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, form: str, rows: list[dict[str, str]]
) -> None:
    table = pa.Table.from_pylist(rows)
    path = write(tmp_path_factory.getbasetemp() / f"file.{form}", table)
    (batch,) = Reader(path, bad_rows="stop", text="text")
    assert batch.table == table


@pytest.mark.parametrize("form", FORMATS)
def test_equal_rows_give_equal_bytes(tmp_path: Path, form: str) -> None:
    table = pa.table({"text": ["good", "bad"] * 99})
    first, second = (write(tmp_path / f"{name}.{form}", table).read_bytes() for name in "ab")
    assert first == second


def test_jsonl_columns_have_the_type_that_fits_all_their_values_and_are_written_as_they_were(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"text": "a", "whole": 1, "number": 1, "flag": True, "mixed": "x", "nested": {"é": [1]}, "exact": 2**62},
        {"text": "b", "number": 2.5, "flag": None, "mixed": 3, "late": "here", "exact": 0.5, "id": 2**62},
        {"text": "c", "whole": 2**70, "nested": None},
    ]
    path = tmp_path / "file.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    reader = Reader(path, bad_rows="stop", text="text")
    contents = reader.contents
    (batch,) = reader

    assert dict(zip(contents.schema.names, map(str, contents.schema.types), strict=True)) == {
        "text": "string",
        "whole": "string",
        "number": "double",
        "flag": "bool",
        "mixed": "string",
        "nested": "string",
        "exact": "string",  # no number of 64 bits holds both 2**62 and 0.5
        "late": "string",
        "id": "int64",
    }
    with (tmp_path / "copy").open("wb") as file, open_writer(file, "jsonl", contents.schema, contents.json) as append:
        append(batch.table)
    copies = [json.loads(line) for line in (tmp_path / "copy").read_text().splitlines()]
    assert copies == [dict.fromkeys(contents.schema.names) | record for record in records]


@pytest.mark.parametrize(("name", "form"), [("a.csv", "csv"), ("b.v2.JSONL.GZ", "jsonl.gz"), ("c.parquet", "parquet")])
def test_a_name_tells_the_format(name: str, form: str) -> None:
    assert find_format(name) == format_of(name) == form


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    assert find_format("reviews.xlsx") is None
    with pytest.raises(UserError) as caught:
        format_of("reviews.xlsx")
    assert str(caught.value) == (
        "reviews.xlsx is of no known format: "
        "its name must end in .csv, .tsv, .jsonl, .parquet, .csv.gz, .tsv.gz, .jsonl.gz"
    )
