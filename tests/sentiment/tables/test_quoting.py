"""What quotes mean in csv and tsv files, and that none swallows the rows after it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.tables.reader import Reader
from tests.sentiment.tables.files import put, refusal

LITERAL = "its quotes are read as parts of the texts, as they don't enclose fields"
ESCAPED = "a backslash before a quote is not part of the text"
RAW = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.just('"'), min_size=1, max_size=12)


def read(path: Path) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    found = Reader(path, bad_rows="stop", columns=["text", "label"])
    rows = [tuple(row.values()) for batch in found for row in batch.table.to_pylist()]
    return rows, tuple(note.replace(f"{path}: ", "") for note in found.notes)


def lines(rows: list[tuple[str, str]], sign: str) -> str:
    return "".join(f"{text}{sign}{label}\n" for text, label in [("text", "label"), *rows])


STRAY = [("plain", "1"), ('"It opens here.', "0"), ("between", "1"), ('and closes there."', "0"), ("more", "1")]


@pytest.mark.parametrize("labels", [("0", "1"), ("sad", "glad"), ("2.0", "5.0")])
def test_a_quote_that_opens_in_one_line_of_a_tsv_and_closes_in_another_swallows_nothing(
    tmp_path: Path, labels: tuple[str, str]
) -> None:
    rows = [(text, labels[int(label)]) for text, label in STRAY]
    assert read(put(tmp_path / "a.tsv", lines(rows, "\t"))) == (rows, (LITERAL,))


@pytest.mark.parametrize(
    "rows",
    [
        [('never "closed', "1"), ('"never closed', "0"), ("more", "1")],
        [('"quoted" at first', "1"), ("more", "0")],
        [('"one" and "two"', "1"), ('5" screen', "0"), ('"', "1")],
    ],
)
def test_quotes_that_enclose_no_fields_are_part_of_a_tsv_files_texts(
    tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    assert read(put(tmp_path / "a.tsv", lines(rows, "\t"))) == (rows, (LITERAL,))


def test_a_tsv_file_that_a_spreadsheet_wrote_keeps_its_line_ends_and_tabs(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", 'text\tlabel\n"two\nlines, ""so"""\t1\n"a\ttab"\t0\n')
    assert read(path) == ([('two\nlines, "so"', "1"), ("a\ttab", "0")], ())


@pytest.mark.parametrize("sign", [",", ";"])
def test_a_quote_that_swallows_rows_of_a_csv_is_refused_with_its_lines(tmp_path: Path, sign: str) -> None:
    path = put(tmp_path / "a.csv", lines(STRAY, sign))
    assert refusal(path, lambda: read(path)).startswith(
        "a.csv, row 3: a quote that opens in line 3 closes in line 5 only, and the lines between read as rows of their"
    )


def test_a_review_of_several_lines_with_commas_is_one_of_a_csv(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'text,label\n"Good, really.\nGo, soon.",1\n"Bad,\nall in all",0\nfine,1\ndull,0\n')
    assert [text for text, _ in read(path)[0]] == ["Good, really.\nGo, soon.", "Bad,\nall in all", "fine", "dull"]


@pytest.mark.parametrize(("name", "sign"), [("a.tsv", "\t"), ("a.csv", ",")])
def test_backslashes_before_quotes_are_taken_away_and_others_kept(tmp_path: Path, name: str, sign: str) -> None:
    rows = [('"He said \\"no\\", and left"', "1"), ('"C:\\\\temp or \\n"', "0"), ("plain", "1"), ('"\\"all\\""', "0")]
    assert read(put(tmp_path / name, lines(rows, sign))) == (
        [('He said "no", and left', "1"), ("C:\\temp or \\n", "0"), ("plain", "1"), ('"all"', "0")],
        (ESCAPED,),
    )


def test_backslashes_in_a_file_of_doubled_quotes_are_parts_of_its_texts(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'text,label\n"He said ""wow"", and\\nleft \\",1\n')
    assert read(path) == ([('He said "wow", and\\nleft \\', "1")], ())


@given(rows=st.lists(st.tuples(RAW, st.sampled_from(["0", "1"])), min_size=1, max_size=12))
def test_as_many_rows_are_read_of_a_tsv_as_it_has_lines(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    known = [("fine", "0"), ("good", "1")]
    path = put(tmp_path_factory.getbasetemp() / "raw.tsv", lines([*known, *rows], "\t"))
    assert len(read(path)[0]) == len(known) + len(rows)
