"""Texts in other encodings than UTF-8."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.reading import Reading
from sentiment.tables.asking import as_flag
from sentiment.tables.reader import Reader
from tests.sentiment.tables.files import ROWS, as_csv, as_jsonl, put, refusal

WESTERN = [("Das Café war schön", "1"), ("l\u2019été à Évreux", "0"), ("“well spent”, 100 €", "1"), ("plain", "0")]


def read(path: Path, encoding: str | None = None, mode: Literal["stop", "set aside"] = "stop") -> list[tuple[str, ...]]:
    reading = Reading(encoding=encoding)
    found = Reader(path, bad_rows=mode, columns=["text", "label"], reading=reading, ask=as_flag)
    return [tuple(row.values()) for batch in found for row in batch.table.to_pylist()]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-be"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt"])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    content = as_jsonl(ROWS) if "json" in name else as_csv(ROWS, "," if name == "a.csv" else "\t")
    mark = "" if encoding in {"utf-8-sig", "utf-16", "utf-32"} else "\ufeff"
    assert read(put(tmp_path / name, (mark + content.decode()).encode(encoding))) == ROWS


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_refused_with_its_name_and_then_read(tmp_path: Path, encoding: str) -> None:
    path = put(tmp_path / "a.csv", as_csv(ROWS).decode().encode(encoding))
    said = refusal(path, lambda: read(path))
    assert said == f"a.csv is UTF-16 without a byte order mark, as it seems: --encoding {encoding}"
    assert read(path, encoding) == ROWS


def test_another_encoding_is_refused_with_the_option_that_reads_it(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", as_csv(WESTERN).decode().encode("cp1252"))
    assert refusal(path, lambda: read(path)) == (
        "a.csv, row 2: text is not UTF-8; try --encoding cp1252, in which it has “Das Café war schön,1”, or write it "
        "anew in UTF-8"
    )
    assert read(path, "cp1252") == WESTERN


def test_where_rows_are_set_aside_a_file_in_another_encoding_is_refused_whole(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", as_jsonl(WESTERN).decode("unicode-escape").encode("cp1252"))
    said = refusal(path, lambda: Reader(path, bad_rows="set aside", text="text", ask=as_flag).contents)
    assert said.startswith("a.jsonl, row 1 and others: not UTF-8; try --encoding cp1252, in which it has “")


def test_one_damaged_row_is_set_aside_with_its_bytes_and_never_a_question_mark(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", as_csv([*WESTERN, ("damaged", "1")]).replace(b"damaged", b"dam\xe9ged"))
    (batch,) = Reader(path, bad_rows="set aside", text="text")
    assert batch.table["text"].to_pylist() == [text for text, _ in WESTERN]
    (bad,) = batch.bad
    assert bad.reason == "text is not UTF-8; write it anew in UTF-8"
    assert bad.content == ["dam\\xe9ged", "1"]


def test_what_is_utf8_is_read_so_whatever_is_said(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", as_csv(WESTERN))
    found = Reader(path, bad_rows="stop", columns=["text"], reading=Reading(encoding="cp1252"))
    assert found.notes == (f"{path} is read in UTF-8, which it is, and not in cp1252",)
    assert read(path, "cp1252") == WESTERN


def test_bytes_that_the_encoding_lacks_are_refused_with_their_row(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", b"text,label\ncaf\xe9,1\n\x81,0\n")
    assert refusal(path, lambda: read(path, "cp1252")).startswith("a.csv, row 3: text is not CP1252; ")
    path = put(tmp_path / "b.csv", as_csv(WESTERN).decode().encode("utf-16")[:-1])
    assert refusal(path, lambda: read(path)).startswith("b.csv is not UTF-16: ")


@given(
    texts=st.lists(st.text(st.characters(codec="cp1251", exclude_categories=["Cc"]), max_size=20), min_size=1),
    encoding=st.sampled_from(["cp1251", "utf-16", "utf-32", "utf-8-sig"]),
)
def test_what_is_written_in_an_encoding_is_read_in_it(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], encoding: str
) -> None:
    rows = [(text, "1") for text in texts]
    content = as_csv(rows).decode().encode(encoding)
    path = put(tmp_path_factory.getbasetemp() / "written.csv", content)
    assert read(path, encoding) == rows
