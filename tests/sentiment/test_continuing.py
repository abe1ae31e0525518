"""Scoring a file that was begun before and did not come to its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.serving.predictor import Predictor
from sentiment.text.spelling import Spelled
from tests.conftest import ROOT
from tests.sentiment.scoring.files import Command, read, write

PREDICT = [sys.executable, "-m", "sentiment.predict"]


def test_a_failed_run_goes_on_where_it_was_and_ends_with_the_same_bytes(
    command: Command, toy_reviews: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.scoring.rows.CHUNK", 10)
    write("reviews.csv", toy_reviews.append_column("number", pa.array(range(64))))
    command("reviews.csv", "-o", "whole.parquet")
    done: list[list[str]] = []
    original = Predictor.read

    def failing(self: Predictor, texts: list[str]) -> tuple[np.ndarray, Spelled]:
        done.append(texts)
        if len(done) == 3:
            raise MemoryError
        return original(self, texts)

    monkeypatch.setattr(Predictor, "read", failing)
    with pytest.raises(MemoryError):
        command("reviews.csv", "-o", "scored.parquet")
    assert not Path("scored.parquet").exists()
    done.clear()
    done.extend([[]] * 3)
    command("reviews.csv", "-o", "scored.parquet")

    assert [text for texts in done for text in texts] == toy_reviews["text"].to_pylist()[20:]
    assert Path("scored.parquet").read_bytes() == Path("whole.parquet").read_bytes()
    assert sorted(path.name for path in Path().iterdir()) == ["reviews.csv", "scored.parquet", "whole.parquet"]


@pytest.mark.parametrize("damage", [b"", b"\x00" * 5, b"another piece of work"])
def test_scores_that_belong_to_other_work_or_are_cut_are_not_used(
    command: Command, toy_reviews: pa.Table, scores: list[float], damage: bytes
) -> None:
    write("reviews.csv", toy_reviews)
    Path("scored.csv.scores").write_bytes(damage)
    command("reviews.csv", "-o", "scored.csv")

    assert [float(row["score"]) for row in read("scored.csv")] == scores


@pytest.mark.slow
def test_a_killed_run_leaves_no_output_and_goes_on(exported: Path, tmp_path: Path, toy_reviews: pa.Table) -> None:
    table = pa.concat_tables([toy_reviews] * 400)
    pq.write_table(table, tmp_path / "reviews.parquet")
    arguments = ["reviews.parquet", "-o", "scored.parquet", "--model", str(exported)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    journal = tmp_path / "scored.parquet.scores"
    process = subprocess.Popen([*PREDICT, *arguments], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > 64):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)

    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "scored.parquet").exists()
    assert journal.stat().st_size > 64
    subprocess.run([*PREDICT, *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert pq.read_table(tmp_path / "scored.parquet")["text"] == table["text"]
    assert not journal.exists()
