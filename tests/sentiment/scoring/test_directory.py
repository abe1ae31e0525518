"""A directory of outputs: what is scored again and what is not, and what becomes of it when something goes wrong."""

import json
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from sentiment import predict
from sentiment.core.errors import UserError
from sentiment.scoring.on_ray import HERE, SETTINGS
from sentiment.scoring.places import remove
from sentiment.serving.predictor import Predictor
from sentiment.text.spelling import Spelled
from tests.sentiment.scoring.files import Command, read, visible, write

Read = list[list[str]]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """The texts that were scored, a chunk each."""
    chunks: Read = []
    original = Predictor.read

    def counted(self: Predictor, texts: list[str]) -> tuple[np.ndarray, Spelled]:
        chunks.append(texts)
        return original(self, texts)

    monkeypatch.setattr(Predictor, "read", counted)
    return chunks


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a parquet file of more than ten rows for a large one."""
    monkeypatch.setattr("sentiment.scoring.directory.PIECE", 10)
    monkeypatch.setattr("sentiment.scoring.directory.SMALL", 0)


def test_a_rerun_scores_only_what_has_changed(
    command: Command, scored: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        write(name, pa.table({"text": ["good"]}))
    command("*.csv", "-o", "out")
    scored.clear()
    write("b.csv", pa.table({"text": ["bad"]}))
    Path("out/c.csv.parquet").write_bytes(b"cut")
    capsys.readouterr()
    command("*.csv", "-o", "out")

    assert sorted(scored) == [["bad"], ["good"]]
    assert [row["text"] for row in read("out/b.csv.parquet")] == ["bad"]
    said = capsys.readouterr().err
    assert "1 of 3 files were scored before and have not changed" in said
    assert "3 of 3 rows scored in 3 of 3 files" in said


@pytest.mark.parametrize("change", [["--text", "other"], ["--prefix", "my_"]])
def test_what_was_said_otherwise_is_scored_anew(command: Command, scored: Read, change: list[str]) -> None:
    write("a.csv", pa.table({"text": ["good"], "other": ["bad"]}))
    command("a.csv", "-o", "out/")
    command("a.csv", "-o", "out/", *change)

    assert len(scored) == 2


def test_another_model_scores_all_anew(
    command: Command, exported: Path, scored: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    command("a.csv", "-o", "out/")
    shutil.copytree(exported, "model")
    Path("model/README.md").write_text("another")
    monkeypatch.setattr(sys, "argv", ["predict", "a.csv", "-o", "out/", "--model", "model"])
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    predict.main()

    assert len(scored) == 2


def test_an_output_whose_input_can_no_longer_be_scored_does_not_stay(command: Command) -> None:
    write("a.csv", pa.table({"text": ["good", ""]}))
    command("a.csv", "-o", "out/")
    Path("a.csv").write_text("no text\n1")

    with pytest.raises(UserError, match=r"^1 of 1 files were not scored"):
        command("a.csv", "-o", "out/")
    assert visible("out") == []


def test_files_that_differ_in_their_endings_do_not_meet(command: Command) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    write("a.parquet", pa.table({"text": ["bad"]}))
    command("a.*", "-o", "out")

    assert [row["text"] for row in read("out/a.csv.parquet") + read("out/a.parquet.parquet")] == ["good", "bad"]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_large_parquet_file_scored_in_pieces_gives_the_bytes_of_one_scored_whole(
    command: Command, toy_reviews: pa.Table, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    texts = toy_reviews["text"].to_pylist()
    texts[31] = texts[63] = ""
    table = toy_reviews.set_column(0, "text", pa.array(texts))
    pq.write_table(table, "a.parquet", row_group_size=7)
    command("a.parquet", "-o", f"whole.{form}")
    alone = capsys.readouterr().err
    command("a.parquet", "-o", "out/", "--output-format", form)

    found, whole = read(f"out/a.parquet.{form}"), read(f"whole.{form}")
    assert found == whole
    rejected = Path(f"out/a.parquet.{form}.rejected.jsonl").read_text()
    assert rejected == Path(f"whole.{form}.rejected.jsonl").read_text()
    assert [json.loads(line)["row"] for line in rejected.splitlines()] == [31, 63]
    metrics = next(line for line in alone.splitlines() if line.startswith("accuracy"))
    assert f"a.parquet: {metrics}" in capsys.readouterr().err
    assert not list(Path("out/.scoring").rglob("*.parquet"))


@pytest.mark.usefixtures("pieces")
def test_a_killed_run_goes_on_with_the_pieces_that_it_had(
    command: Command, toy_reviews: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(toy_reviews, "a.parquet")
    done: Read = []
    original = Predictor.read

    def killed(self: Predictor, texts: list[str]) -> tuple[np.ndarray, Spelled]:
        if len(done) == 3:
            done.append([])
            raise KeyboardInterrupt
        done.append(texts)
        return original(self, texts)

    monkeypatch.setattr(Predictor, "read", killed)
    with pytest.raises(KeyboardInterrupt):
        command("a.parquet", "-o", "out/")
    assert visible("out") == []
    command("a.parquet", "-o", "out/")

    assert [text for texts in done for text in texts] == toy_reviews["text"].to_pylist()
    assert [row["text"] for row in read("out/a.parquet.parquet")] == toy_reviews["text"].to_pylist()


@pytest.mark.usefixtures("pieces")
def test_a_run_killed_before_it_removes_the_pieces_scores_none_again_and_the_next_one_removes_them(
    command: Command, scored: Read, toy_reviews: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(toy_reviews, "a.parquet")

    def killed(name: str) -> None:
        if name == "out/.scoring/a.parquet.parquet":
            raise KeyboardInterrupt
        remove(name)

    with monkeypatch.context() as patch:
        patch.setattr("sentiment.scoring.perform.remove", killed)
        with pytest.raises(KeyboardInterrupt):
            command("a.parquet", "-o", "out/")
    assert Path("out/.scoring/a.parquet.parquet").is_dir()
    scored.clear()
    command("a.parquet", "-o", "out/")

    assert scored == []
    assert not Path("out/.scoring/a.parquet.parquet").exists()


def test_a_full_disk_is_named_with_the_files_it_cost_and_leaves_no_part_of_one(command: Command) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    write("b.csv", pa.table({"text": ["good"], "long": [os.urandom(20_000).hex()]}))
    command("a.csv", "-o", "out/")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(UserError, match=r"^1 of 2 files were not scored, for the reasons above: b\.csv$"):
            command("a.csv", "b.csv", "-o", "out/")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert visible("out") == ["a.csv.parquet"]
    assert sorted(path.name for path in Path("out/.scoring").iterdir()) == ["a.csv.parquet.json", "lock"]


def test_a_second_process_that_scores_into_the_same_directory_is_refused(command: Command) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    Path("out/.scoring").mkdir(parents=True)
    message = r"^another process scores into out: wait for its end, or name another directory with -o$"
    with FileLock("out/.scoring/lock"), pytest.raises(UserError, match=message):
        command("a.csv", "-o", "out")
    command("a.csv", "-o", "out")

    assert visible("out") == ["a.csv.parquet"]


def test_what_a_killed_process_left_half_written_is_removed(command: Command) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    left = Path("out/.scoring/a.csv.parquet/.scoring/0123.tmp")
    left.parent.mkdir(parents=True)
    left.touch()
    command("a.csv", "-o", "out")

    assert not left.exists()


@pytest.mark.parametrize(("said", "address"), [(["--workers", "2"], ""), ([], "127.0.0.1:6379")])
def test_without_ray_a_sentence_says_how_to_install_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, said: list[str], address: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ADDRESS", address)
    for name in SETTINGS | HERE:
        monkeypatch.setenv(name, "0")
    write("a.csv", pa.table({"text": ["good"]}))

    with pytest.raises(UserError, match=r"need Ray: pip install --requirement requirements-scale\.txt"):
        command("a.csv", "-o", "out/", *said)


def test_a_rerun_that_finds_nothing_to_do_starts_no_workers(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a.csv", pa.table({"text": ["good"]}))
    command("a.csv", "-o", "out/")
    monkeypatch.setitem(sys.modules, "ray", None)
    command("a.csv", "-o", "out/", "--workers", "2")

    assert visible("out") == ["a.csv.parquet"]


def test_two_threads_give_the_same_bytes_as_one(
    exported: Path, toy_reviews: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sentiment.scoring.rows.CHUNK", 5)
    monkeypatch.setattr("sentiment.tables.reader.BATCH", 20)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    write("a.csv", toy_reviews)
    for threads in ("1", "2"):
        arguments = ["a.csv", "-o", f"{threads}.parquet", "--model", str(exported), "--threads", threads]
        monkeypatch.setattr(sys, "argv", ["predict", *arguments])
        predict.main()

    assert Path("1.parquet").read_bytes() == Path("2.parquet").read_bytes()
