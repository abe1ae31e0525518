"""What a file is, by its first bytes or its name, however it is packed."""

import bz2
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sentiment.tables.formats import find_input, stem_of
from sentiment.tables.reader import Reader
from tests.sentiment.tables.files import ROWS, WRITERS, as_csv, as_jsonl, put, refusal


def pack(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(path: Path) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return a file's rows, and what is said of it, less its folder."""
    found = Reader(path, bad_rows="stop", columns=["text", "label"])
    rows = [tuple(row.values()) for batch in found for row in batch.table.to_pylist()]
    return rows, tuple(note.replace(f"{path.parent}/", "") for note in found.notes)


def refuse(path: Path) -> str:
    return refusal(path, lambda: read(path))


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("ending", "packed"), [("gz", gzip.compress), ("bz2", bz2.compress), ("zip", lambda content: pack({"a": content}))]
)
def test_every_format_is_read_however_it_is_packed(
    tmp_path: Path, form: str, ending: str, packed: Callable[[bytes], bytes]
) -> None:
    content = WRITERS[form](ROWS)
    content = pack({f"a.{form}": content}) if ending == "zip" else packed(content)
    rows, notes = read(put(tmp_path / f"reviews.{form}.{ending}", content))
    assert rows == ROWS
    assert notes == ((f"reviews.{form}.zip: read a.{form} in it",) if ending == "zip" else ())


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("a.csv", gzip.compress(as_csv(ROWS)), "a.csv is packed with gzip, whatever its name says"),
        ("a.csv.gz", bz2.compress(as_csv(ROWS)), "a.csv.gz is packed with bzip2, whatever its name says"),
        ("a.csv", WRITERS["parquet"](ROWS), "a.csv is parquet, whatever its name says"),
        ("a.csv.gz", WRITERS["parquet"](ROWS), "a.csv.gz is parquet, whatever its name says"),
        ("a.data", WRITERS["parquet"](ROWS), "a.data is parquet, whatever its name says"),
    ],
    ids=["gzip", "bzip2", "parquet", "parquet, not gzip", "parquet of no name"],
)
def test_a_file_of_the_wrong_name_is_read_and_told_what_it_is(
    tmp_path: Path, name: str, content: bytes, note: str
) -> None:
    assert read(put(tmp_path / name, content)) == (ROWS, (note,))


def test_a_zip_of_one_table_is_read_whatever_lies_beside_it(tmp_path: Path) -> None:
    content = pack(
        {"in/a.csv": as_csv(ROWS), "README.txt": b"about", "__MACOSX/in/._a.csv": b"\0", "picture.png": b"\0"}
    )
    assert read(put(tmp_path / "archive.zip", content)) == (ROWS, ("archive.zip: read in/a.csv in it",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pack({"a.csv": b"x", "b.jsonl": b"x"}), "must have one table in it, but has a.csv, b.jsonl: unpack it"),
        (pack({"picture.png": b"x"}), "must have one table in it, but has none: unpack it"),
        (pack({"a.csv": as_csv(ROWS)})[:40], "is not a whole zip file (truncated, or not one)"),
        (pack({"mimetype": b"x", "content.xml": b"x"}), "is an OpenDocument file: save its sheet as xlsx or csv"),
    ],
    ids=["several", "none", "truncated", "OpenDocument"],
)
def test_a_zip_that_leaves_a_choice_or_is_none_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    assert refuse(put(tmp_path / "a.zip", content)).startswith(f"a.zip {said}")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on", "a workbook of Excel before 2007, or one with a password"),
        (b"%PDF-1.7", "a PDF"),
        (b"\n<!DOCTYPE html><html>Sign in", "a web page: download the file itself"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of git-lfs: git lfs pull brings the file itself"),
    ],
)
def test_what_only_has_the_name_of_a_table_is_told_what_it_is(tmp_path: Path, content: bytes, what: str) -> None:
    assert refuse(put(tmp_path / "a.csv", content)).startswith(f"a.csv is {what}")


@pytest.mark.parametrize("ending", ["gz", "bz2"])
def test_a_packed_file_that_is_none_is_refused(tmp_path: Path, ending: str) -> None:
    said = {"gz": "gzip", "bz2": "bzip2"}[ending]
    assert refuse(put(tmp_path / f"a.csv.{ending}", as_csv(ROWS))).startswith(
        f"a.csv.{ending} is not a whole {said} file"
    )
    whole = {"gz": gzip.compress, "bz2": bz2.compress}[ending](as_csv(ROWS * 99))
    assert "is not a whole" in refuse(put(tmp_path / f"a.csv.{ending}", whole[: len(whole) // 2]))


@pytest.mark.parametrize(
    ("name", "form", "stem"),
    [
        ("Train.CSV", "csv", "train"),
        ("train.ft.txt.bz2", "txt.bz2", "train"),
        ("a.b.json.gz", "json.gz", "a.b"),
        ("archive.zip", "zip", "archive"),
        ("reviews.xlsx", "xlsx", "reviews"),
    ],
)
def test_a_name_tells_what_is_read(name: str, form: str, stem: str) -> None:
    assert (find_input(name), stem_of(name)) == (form, stem)
    assert find_input("reviews.odt") is None


def test_a_file_may_be_of_a_format_that_its_name_does_not_tell(tmp_path: Path) -> None:
    path = put(tmp_path / "stdin", as_jsonl(ROWS))
    (batch,) = Reader(path, "jsonl", bad_rows="set aside", text="text")
    assert batch.table["text"].to_pylist() == [text for text, _ in ROWS]
    assert refuse(path).startswith("stdin is of no known format: its name must end in .csv, .tsv, .jsonl, .parquet,")
