"""Forms of tables that have a module each: JSON documents, fastText's lines, sheets, folders of texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from sentiment.core.reading import Reading
from sentiment.tables.reader import Reader
from tests.sentiment.tables.files import put, refusal

OBJECTS: list[dict[str, Any]] = [
    {"text": "fine", "label": 1, "n": 0.5},
    {"text": "two\nlines", "label": 0},
    {"text": None, "label": 1},
]


def read(path: Path, columns: list[str] | None = None) -> tuple[list[list[Any]], list[int]]:
    """Return all rows of a file in these columns, and their numbers."""
    found = list(Reader(path, bad_rows="stop", columns=columns or ["text", "label"]))
    rows = [list(row.values()) for batch in found for row in batch.table.to_pylist()]
    return rows, [number for batch in found for number in batch.numbers.tolist()]


def by_column(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {str(place): one.get(name) for place, one in enumerate(objects)} for name in ("text", "label")}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "document",
    [
        OBJECTS,
        by_column(OBJECTS),
        {name: list(values.values()) for name, values in by_column(OBJECTS).items()},
        {str(place): {"text": one["text"], "label": one["label"]} for place, one in enumerate(OBJECTS)},
    ],
)
def test_one_json_document_has_rows_by_their_index(tmp_path: Path, document: Any, indent: int | None) -> None:
    path = put(tmp_path / "a.json", json.dumps(document, indent=indent))
    assert read(path) == ([["fine", "1"], ["two\nlines", "0"], [None, "1"]], [0, 1, 2])
    (batch,) = Reader(path, bad_rows="set aside", text="text")
    assert batch.table["label"].to_pylist() == [1, 0, 1]


def test_json_has_one_object_per_line_whatever_its_ending(tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, OBJECTS))
    for name in ("a.json", "a.jsonl"):
        assert read(put(tmp_path / name, lines))[1] == [1, 2, 3]
    assert read(put(tmp_path / "a.json", json.dumps(OBJECTS[0])))[1] == [1]


def test_a_jsonl_file_that_is_an_array_is_told_so(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", json.dumps(OBJECTS, indent=1))
    found = Reader(path, bad_rows="stop", columns=["text"])
    assert found.notes == (f"{path} is one JSON array, whatever its name says",)
    assert sum(batch.table.num_rows for batch in found) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"text": "a"},\n{"text": ', " is not JSON: Expecting value"),
        ('{\n"data": 1, "text": "a"}', " must be an array of JSON objects, one such object per line, or"),
        ('[{"text": "a", "label": 1}, 5]', ", row 1: it is 5, but must be a JSON object"),
        ('[{"text": ["a"], "label": 1}]', ", row 0: text is ['a'], but must be text or a number"),
    ],
)
def test_a_json_document_of_anything_else_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = put(tmp_path / "a.json", content)
    assert refusal(path, lambda: read(path)).startswith(f"a.json{said}")


@pytest.mark.parametrize("name", ["train.ft.txt", "reviews.txt", "reviews.ft"])
def test_fasttexts_lines_are_labels_and_texts(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / name, '__label__2 A title: "so", it\tgoes\n\n__label__bad Dull\r\n')
    assert read(path) == ([['A title: "so", it\tgoes', "2"], ["Dull", "bad"]], [1, 3])


def test_a_line_that_is_not_fasttexts_is_refused_or_set_aside(tmp_path: Path) -> None:
    path = put(tmp_path / "a.txt", "__label__1 fine\nno label\n__label__1 __label__2 two\n__label__2 dull\n")
    assert refusal(path, lambda: read(path)).startswith("a.txt, row 2: it must begin with __label__ and a label")
    (batch,) = Reader(path, bad_rows="set aside", text="text")
    assert batch.table["text"].to_pylist() == ["fine", "dull"]
    assert [(row.row, row.reason) for row in batch.bad][1] == (3, "it has several labels, but a review has one")


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_the_only_sheet_with_rows_is_read_as_texts(tmp_path: Path) -> None:
    rows = [["text", "label", "n"], ["fine", 5, 0.5], ["two\nlines", 1.0], [], ["dull", None, True]]
    path = workbook(tmp_path / "a.xlsx", Empty=[], Reviews=rows)
    expected = [["fine", "5", "0.5"], ["two\nlines", "1", ""], ["dull", "", "True"]]
    assert read(path, ["text", "label", "n"]) == (expected, [2, 3, 5])
    found = Reader(path, bad_rows="set aside", text="text")
    assert found.contents.rows == sum(batch.table.num_rows for batch in found) == 3


def test_a_workbook_of_several_sheets_or_none_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", One=[["text"]], Two=[["text"]])
    assert refusal(path, lambda: read(path)).startswith("a.xlsx has several sheets with rows, One, Two: delete those")
    path = workbook(tmp_path / "b.xlsx", One=[])
    assert refusal(path, lambda: read(path)).startswith("b.xlsx has no sheet with rows")
    path = put(tmp_path / "c.xlsx", path.read_bytes()[:99])
    assert refusal(path, lambda: read(path)).startswith(
        "c.xlsx is not a whole xlsx file (truncated, or another format)"
    )


def test_cells_beyond_the_columns_make_a_bad_row_and_columns_may_be_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", One=[["text", "label"], ["fine", 1, "note"], ["dull", 0]])
    assert refusal(path, lambda: read(path)) == (
        "a.xlsx, row 2: 3 cells, but there are 2 columns: empty the cells beyond them"
    )
    path = workbook(tmp_path / "b.xlsx", One=[["fine as it can be, really", 1], ["dull", 0]])
    assert "columns text,label" in refusal(path, lambda: read(path))
    (batch,) = Reader(path, bad_rows="stop", columns=["text", "label"], reading=Reading(columns=["text", "label"]))
    assert batch.table["label"].to_pylist() == ["1", "0"]


def test_a_folder_has_a_text_in_each_file_by_label_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    for name, text in (
        ("pos/2.txt", "fine\nand so on\n"),
        ("pos/1.txt", "good"),
        ("neg/1.txt", "dull"),
        ("unsup/1.txt", ""),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        put(tmp_path / name, text)
    found = Reader(tmp_path, bad_rows="set aside", text="text")
    assert found.notes == (f"{tmp_path}/unsup is left out, with 1 texts, as its name is no label",)
    (batch,) = found
    assert [list(row.values()) for row in batch.table.to_pylist()] == [
        ["neg/1.txt", "neg", "dull"],
        ["pos/1.txt", "pos", "good"],
        ["pos/2.txt", "pos", "fine\nand so on"],
    ]
    put(tmp_path / "pos/1.txt", b"caf\xe9")
    assert "row 2: pos/1.txt is not UTF-8; " in refusal(tmp_path, lambda: read(tmp_path))


def test_files_of_lines_by_label_are_read_as_a_folder(tmp_path: Path) -> None:
    put(tmp_path / "rt.pos", "fine\n\ngood\n")
    put(tmp_path / "rt.neg", "dull\n")
    assert read(tmp_path) == ([["dull", "neg"], ["fine", "pos"], ["good", "pos"]], [1, 2, 3])
    (tmp_path / "rt.neg").unlink()
    assert "is a folder without texts by label" in refusal(tmp_path, lambda: read(tmp_path))
