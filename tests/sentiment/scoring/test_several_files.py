import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sentiment.core.errors import UserError
from sentiment.serving.predictor import Predictor
from sentiment.text.spelling import Spelled
from tests.sentiment.scoring.files import Command, read, visible, write


def test_a_directory_is_scored_file_by_file_under_names_that_keep_the_endings(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in").mkdir()
    for name in ("b.csv", "a.parquet", "a.csv.rejected.jsonl", ".hidden.csv"):
        write(f"in/{name}", pa.table({"text": ["good", ""], "label": [1, 0]}))
    Path("in/notes.txt").write_text("no table")
    command("in", "-o", "out")

    assert visible("out") == [
        "a.parquet.parquet",
        "a.parquet.parquet.rejected.jsonl",
        "b.csv.parquet",
        "b.csv.parquet.rejected.jsonl",
    ]
    assert read("out/b.csv.parquet")[0]["sentiment"] == read("out/a.parquet.parquet")[0]["sentiment"] == "positive"
    said = capsys.readouterr().err
    assert "in/notes.txt is left out: it is no file of a known format" in said
    assert "in/a.parquet: 1 of 2 rows set aside in out/a.parquet.parquet.rejected.jsonl" in said
    assert "2 of 4 rows scored in 2 of 2 files" in said


def test_a_bad_file_does_not_lose_the_others_and_is_named_at_the_end(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.csv", "c.csv"):
        write(name, pa.table({"text": ["good"]}))
    Path("b.csv").write_text('text\n"never closed')
    Path("d.parquet").write_bytes(b"PAR1 and no more")

    with pytest.raises(UserError, match=r"^2 of 4 files were not scored, for the reasons above: b\.csv, d\.parquet$"):
        command("*.csv", "d.parquet", "-o", "out/")
    assert visible("out") == ["a.csv.parquet", "c.csv.parquet"]
    said = capsys.readouterr().err
    assert re.search(r"not scored: b\.csv.*quote", said)
    assert "not scored: d.parquet" in said


def test_a_file_that_a_library_stumbles_over_is_named_and_the_others_are_scored(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.parquet", pa.table({"text": ["stumble", None]}))
    write("b.csv", pa.table({"text": ["good"]}))
    original = Predictor.read

    def stumbling(self: Predictor, texts: list[str]) -> tuple[np.ndarray, Spelled]:
        if "stumble" in texts:
            raise OverflowError("value out of range")
        return original(self, texts)

    monkeypatch.setattr(Predictor, "read", stumbling)
    with pytest.raises(UserError, match=r"^1 of 2 files were not scored, for the reasons above: a\.parquet$"):
        command("a.parquet", "b.csv", "-o", "out/")
    assert "not scored: a.parquet: OverflowError: value out of range" in capsys.readouterr().err
    assert visible("out") == ["b.csv.parquet"]


def test_one_file_goes_into_a_directory_that_is_there_or_named_as_one(command: Command) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    Path("there").mkdir()
    for folder in ("there", "new/"):
        command("a.csv", "-o", folder)

    assert read("there/a.csv.parquet") == read("new/a.csv.parquet")


def test_a_killed_run_over_several_files_scores_none_of_them_twice(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        write(name, pa.table({"text": [f"good {name}"]}))
    scored: list[str] = []
    original = Predictor.read

    def killed(self: Predictor, texts: list[str]) -> tuple[np.ndarray, Spelled]:
        scored.extend(texts)
        if len(scored) == 2:
            raise KeyboardInterrupt
        return original(self, texts)

    monkeypatch.setattr(Predictor, "read", killed)
    with pytest.raises(KeyboardInterrupt):
        command("a.csv", "b.csv", "-o", "out")
    command("a.csv", "b.csv", "-o", "out")

    assert scored == ["good a.csv", "good b.csv", "good b.csv"]
    assert visible("out") == ["a.csv.parquet", "b.csv.parquet"]
