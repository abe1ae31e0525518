"""The first row of a table: its delimiter, and whether it names the columns."""

from pathlib import Path
from typing import Any

import pytest

from sentiment.core.reading import Reading
from sentiment.tables.asking import as_parameter
from sentiment.tables.reader import Reader
from tests.sentiment.tables.files import ROWS, as_csv, put, refusal

REVIEW = "A film that I would gladly see again, and again"


def read(path: Path, **said: Any) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    found = Reader(path, bad_rows="stop", columns=["text", "label"], reading=Reading(**said), ask=as_parameter)
    rows = [tuple(row.values()) for batch in found for row in batch.table.to_pylist()]
    return rows, tuple(note.replace(f"{path.parent}/", "") for note in found.notes)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize(("sign", "word"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "pipe")])
def test_the_delimiter_that_a_header_has_is_taken_and_said(tmp_path: Path, name: str, sign: str, word: str) -> None:
    rows, notes = read(put(tmp_path / name, as_csv(ROWS, sign)))
    usual = {"a.csv": ","}.get(name, "\t")
    assert rows == ROWS
    assert notes == (() if sign == usual else (f"{name}: its delimiter is the {word}, as its header shows",))


@pytest.mark.parametrize("line", ["sep=;\n", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_a_line_of_excels_names_the_delimiter_and_is_no_row(tmp_path: Path, line: str) -> None:
    path = put(tmp_path / "a.csv", b"\xef\xbb\xbf" + line.encode() + as_csv(ROWS, ";"))
    assert read(path) == (ROWS, ("a.csv: its delimiter is the semicolon, as its line sep= says",))
    bad = put(tmp_path / "b.csv", f"{line}text;label\nfine;1;2\n")
    assert refusal(bad, lambda: read(bad)).startswith("b.csv, row 2: 3 fields from line 3 on, but the header has 2")


def test_a_header_that_leaves_a_choice_is_refused_with_the_option(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text;label|more\nfine;1|2\n")
    said = refusal(path, lambda: read(path))
    assert said.startswith(
        "a.csv: semicolon or pipe may be the delimiter, as its first row has them: say which, as in -S "
    )
    assert "-S download.delimiter=semicolon" in said
    path = put(tmp_path / "c.csv", "text;label, in stars\nfine, really;1\n")
    assert "; if its delimiter is the semicolon: -S download.delimiter=semicolon" in refusal(path, lambda: read(path))


@pytest.mark.parametrize(("sign", "word"), [("~", "~"), (";", ";"), ("\t", "tab"), ("|", "pipe")])
def test_a_delimiter_may_be_said(tmp_path: Path, sign: str, word: str) -> None:
    assert read(put(tmp_path / "a.csv", as_csv(ROWS, sign)), delimiter=word) == (ROWS, ())


@pytest.mark.parametrize(
    ("rows", "why", "names"),
    [
        ([[REVIEW, "1"], ["Bad", "0"]], "1 is a number", "text,label"),
        ([["2", "A title", REVIEW], ["1", "Another", "Bad"]], "2 is a number", "label,column2,text"),
        ([["17", "Acme", "Positive", REVIEW]] * 2, "17 is a number", "column1,column2,label,text"),
        ([[REVIEW, "positive"], ["Bad", "negative"]], "positive is a label", "text,label"),
        ([[REVIEW, "film"], ["Bad", "book"]], f"{REVIEW[:40]} is a text", "text,column2"),
    ],
)
def test_a_first_row_of_data_is_refused_with_the_option_and_then_read(
    tmp_path: Path, rows: list[list[str]], why: str, names: str
) -> None:
    content = as_csv(rows).partition(b"\r\n")[2]
    path = put(tmp_path / "a.csv", content)
    said = refusal(path, lambda: read(path))
    assert f"; its first row looks like data ({why}): if it has no header, name its columns, as in " in said
    assert said.endswith(f"-S 'download.columns=[{names}]'")
    reading = Reading(columns=names.split(","))
    (batch,) = Reader(path, bad_rows="set aside", reading=reading)
    assert [list(row.values()) for row in batch.table.to_pylist()] == rows
    assert batch.numbers.tolist() == [1, 2]


@pytest.mark.parametrize("header", ["id,Review Text,stars", ",text,label", "0,1,2", "text,positive,negative"])
def test_a_header_that_names_columns_is_not_doubted(tmp_path: Path, header: str) -> None:
    path = put(tmp_path / "a.csv", f"{header}\n1,{REVIEW.replace(',', '')},5\n")
    found = Reader(path, bad_rows="set aside")
    assert (found.hint, found.headerless) == ("", False)


def test_only_a_row_of_a_text_with_a_number_or_a_label_is_data_for_certain(tmp_path: Path) -> None:
    for header, sure in (("1,So it goes on", True), ("How did you like it?,When", False), ("2019,text", False)):
        assert Reader(put(tmp_path / "a.csv", f"{header}\n1,2\n"), bad_rows="set aside").headerless == sure


def test_named_columns_must_be_as_many_as_there_are(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "1,a title,fine\n")
    said = refusal(path, lambda: read(path, columns=["label", "text"]))
    assert said.startswith("a.csv, row 1: 3 fields from line 1 on, but 2 columns are named")


def test_named_columns_show_the_delimiter_where_only_one_fits(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "1;fine, really\n0;dull\n")
    assert read(path, columns=["label", "text"]) == (
        [("fine, really", "1"), ("dull", "0")],
        ("a.csv: its delimiter is the semicolon, as its rows show",),
    )
