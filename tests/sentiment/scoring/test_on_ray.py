"""Files scored by two workers of Ray, which start in some seconds."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sentiment.scoring.files import visible, write
from tests.sentiment.scoring.kills import PREDICT, Scoring, environment, outputs

pytestmark = pytest.mark.slow

POISON = """
import os, sys
if any("default_worker" in word for word in sys.orig_argv):
    from sentiment.serving.predictor import Predictor
    load, read = Predictor.__init__, Predictor.read

    def loaded(self, *arguments):
        with open(os.environ["LOADS"], "a") as log:
            log.write(f"{os.getpid()}\\n")
        load(self, *arguments)

    def poisoned(self, texts):
        if "poison" in texts:
            os.kill(os.getpid(), 9)
        return read(self, texts)

    Predictor.__init__, Predictor.read = loaded, poisoned
"""
"""Makes a worker note when it loads a model, and die of a text."""


TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
"""What a cluster asks of those who connect to it."""


def predict(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PREDICT, *arguments], cwd=folder, env=environment(**more), capture_output=True, text=True, check=False
    )


def test_a_file_that_kills_its_worker_or_is_damaged_is_named_and_the_rest_is_done(
    exported: Path, tmp_path: Path, toy_reviews: pa.Table
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(20):
        write(str(tmp_path / f"in/{number}.csv"), toy_reviews)
    write(str(tmp_path / "in/poisoned.csv"), pa.table({"text": ["poison"]}))
    pq.write_table(toy_reviews, tmp_path / "whole")
    (tmp_path / "in/truncated.parquet").write_bytes((tmp_path / "whole").read_bytes()[:-100])
    (tmp_path / "sitecustomize.py").write_text(POISON)
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    arguments = ["in", "-o", "out", "--model", str(exported), "--workers", "2"]
    done = predict(tmp_path, *arguments, PYTHONPATH=path, LOADS=str(tmp_path / "loads"))

    assert done.returncode == 1
    assert "2 of 22 files were not scored, for the reasons above: " in done.stderr
    assert "not scored: in/poisoned.csv: its worker died 3 times (WorkerCrashedError)" in done.stderr
    assert "not scored: in/truncated.parquet: in/truncated.parquet is not a whole parquet file" in done.stderr
    assert visible(str(tmp_path / "out")) == sorted(f"{number}.csv.parquet" for number in range(20))
    loads = (tmp_path / "loads").read_text().split()
    assert len(set(loads)) == len(loads), "a worker loaded the model twice"
    assert len(loads) <= 2 + 3


def test_killed_workers_and_drivers_lose_nothing_and_score_nothing_twice(
    exported: Path, tmp_path: Path, toy_reviews: pa.Table
) -> None:
    scoring = Scoring(tmp_path / "reviews", exported, toy_reviews, times=20)

    assert scoring.kill(2, random.Random(1)).total() == 2


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a cluster of two processors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = str(Path(sys.executable).with_name("ray"))
    command = [ray, "start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    head = subprocess.Popen(command, env=environment(RAY_USAGE_STATS_ENABLED="0", **TOKEN), start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    yield f"127.0.0.1:{port}"
    head.send_signal(signal.SIGTERM)
    head.wait(60)


def test_a_cluster_scores_with_code_and_model_that_it_was_sent(
    exported: Path, tmp_path: Path, toy_reviews: pa.Table, address: str
) -> None:
    for name in ("a", "b"):
        write(str(tmp_path / f"{name}.csv"), toy_reviews)
    arguments = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--model", str(exported), "-o"]
    remote = predict(tmp_path, *arguments, str(tmp_path / "remote"), RAY_ADDRESS=address, **TOKEN)
    alone = predict(tmp_path, *arguments, str(tmp_path / "alone"))

    assert remote.returncode == alone.returncode == 0, remote.stderr
    assert outputs(tmp_path / "remote") == outputs(tmp_path / "alone")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"RAY_ADDRESS": "127.0.0.1:1"}, "error: no cluster answers at 127.0.0.1:1, which RAY_ADDRESS names: "),
        ({}, "error: model/serving.json: labels is missing: give it a value"),
    ],
)
def test_what_stops_all_workers_is_one_sentence(
    tmp_path: Path, exported: Path, change: dict[str, str], message: str
) -> None:
    write(str(tmp_path / "a.csv"), pa.table({"text": ["good"]}))
    (tmp_path / "model").mkdir()
    for path in exported.rglob("*"):
        if path.is_file():
            (tmp_path / "model" / path.relative_to(exported)).parent.mkdir(exist_ok=True)
            (tmp_path / "model" / path.relative_to(exported)).write_bytes(path.read_bytes())
    (tmp_path / "model/serving.json").write_bytes(b"{}")
    done = predict(tmp_path, "a.csv", "-o", "out/", "--model", "model", "--workers", "2", **change)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
