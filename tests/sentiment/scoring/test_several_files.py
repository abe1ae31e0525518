import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sentiment.core.errors import UserError
from sentiment.serving.predictor import Predictor
from tests.sentiment.scoring.files import Command, read, write


def test_a_directory_is_scored_file_by_file_under_the_same_names(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in").mkdir()
    for name in ("b.csv", "a.parquet", "a.csv.rejected.jsonl", ".hidden.csv"):
        write(f"in/{name}", pa.table({"text": ["good", ""], "label": [1, 0]}))
    Path("in/notes.txt").write_text("no table")
    command("in", "-o", "out")

    assert sorted(path.name for path in Path("out").iterdir()) == [
        "a.parquet",
        "a.parquet.rejected.jsonl",
        "b.csv",
        "b.csv.rejected.jsonl",
    ]
    assert read("out/b.csv")[0]["sentiment"] == read("out/a.parquet")[0]["sentiment"] == "positive"
    said = capsys.readouterr().err
    assert "in/notes.txt is left out: it is no file of a known format" in said
    assert said.index("in/a.parquet -> out/a.parquet") < said.index("in/b.csv -> out/b.csv")


def test_a_bad_file_does_not_lose_the_others_and_is_named_at_the_end(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.csv", "c.csv"):
        write(name, pa.table({"text": ["good"]}))
    Path("b.csv").write_text('text\n"never closed')
    Path("d.parquet").write_bytes(b"PAR1 and no more")

    with pytest.raises(UserError, match=r"^2 of 4 files were not scored, for the reasons above: b\.csv, d\.parquet$"):
        command("*.csv", "d.parquet", "-o", "out/")
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.csv", "c.csv"]
    said = capsys.readouterr().err
    assert re.search(r"not scored: b\.csv.*quote", said)
    assert "not scored: d.parquet" in said


def test_one_file_goes_into_a_directory_that_is_there_or_named_as_one(command: Command) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    Path("there").mkdir()
    for folder in ("there", "new/"):
        command("a.csv", "-o", folder)

    assert read("there/a.csv") == read("new/a.csv")


def test_a_killed_run_over_several_files_scores_none_of_them_twice(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv"):
        write(name, pa.table({"text": [f"good {name}"]}))
    scored: list[str] = []
    original = Predictor.score_texts

    def killed(self: Predictor, texts: list[str]) -> np.ndarray:
        scored.extend(texts)
        if len(scored) == 2:
            raise MemoryError
        return original(self, texts)

    monkeypatch.setattr(Predictor, "score_texts", killed)
    with pytest.raises(MemoryError):
        command("a.csv", "b.csv", "-o", "out")
    command("a.csv", "b.csv", "-o", "out")

    assert scored == ["good a.csv", "good b.csv", "good b.csv"]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.csv", "b.csv"]
