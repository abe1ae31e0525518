"""Processes that train one model together, as the train stage starts them."""

import json
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from sentiment.core.params import Params
from tests.pipeline.interruption import BEGUN, SAVED, SAVING
from tests.sentiment.training.bench import TINY
from tests.sentiment.training.stage import PATIENCE, TrainStage, children

pytestmark = pytest.mark.slow

Stage = Callable[..., TrainStage]
MODEL = "models/sentiment/model.safetensors"


@pytest.fixture
def stage(tmp_path: Path, pretrained: Path, encoded: pa.Table, params_with: Callable[..., Params]) -> Iterator[Stage]:
    """Make a folder for the stage: 57 reviews in steps of 8, so that the last step of an epoch has one."""
    made: list[TrainStage] = []

    def make(name: str, **train: Any) -> TrainStage:
        small = {"tokenize": {"max_length": 64}, "evaluate": {"batch_size": 16}}
        params = params_with(seed=3, precision="fp32", threads=1, **small, train=TINY | {"processes": 2} | train)
        made.append(TrainStage(tmp_path / name, pretrained, encoded.slice(0, 57), params))
        return made[-1]

    yield make
    for process in (process for stage in made for process in stage.started):
        process.kill()  # in case the test has failed


def metrics_of(stage: TrainStage) -> dict[str, Any]:
    return json.loads((stage.folder / "metrics/train.json").read_text())


@pytest.mark.parametrize(
    "train", [{}, {"pooling": "first"}, {"freeze": "encoder", "lora_rank": 2}, {"class_weights": "balanced"}], ids=str
)
def test_two_learn_what_one_does(stage: Stage, train: dict[str, Any]) -> None:
    recipe = {"dropout": 0.0, "lr": 1e-3} | train
    one, two = stage("one", processes=1, **recipe), stage("two", **recipe)
    one.run()
    two.run()

    expected, found = metrics_of(one), metrics_of(two)
    for name in ("accuracy", "log_loss"):
        assert found["validation"][name] == pytest.approx(expected["validation"][name], abs=1e-4)
    assert (found["steps"], found["best_step"]) == (expected["steps"], expected["best_step"]) == (16, 16)
    weights = load_file(one.folder / MODEL)
    for name, weight in load_file(two.folder / MODEL).items():
        torch.testing.assert_close(weight, weights[name], atol=1e-4, rtol=0)
    # Only what they have added up in another order tells them apart.
    provenance = json.loads((two.folder / "models/sentiment/provenance.json").read_text())
    assert provenance["environment"].pop("processes") == 2
    alone = json.loads((one.folder / "models/sentiment/provenance.json").read_text())
    assert (provenance["environment"], provenance["parameters"]) == (alone["environment"], alone["parameters"])


def test_the_same_number_gives_the_same_bytes_however_they_are_launched(stage: Stage) -> None:
    folders = [stage(str(run)) for run in range(3)]
    expected = folders[0].run()
    assert folders[1].run() == expected
    assert folders[2].run("torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m") == expected
    # The stage's own launcher lets the main process alone speak.
    assert [line for line in folders[1].errors() if not line.startswith("train: done in ")] == []
    assert folders[1].output().count("validation accuracy") == 4


def test_three_share_steps_of_one_and_two_reviews(stage: Stage) -> None:
    one, three = (
        stage(str(processes), processes=processes, batch_size=2, epochs=0.5, dropout=0.0, lr=1e-3)
        for processes in (1, 3)
    )
    one.run()
    three.run()
    weights = load_file(one.folder / MODEL)
    for name, weight in load_file(three.folder / MODEL).items():
        torch.testing.assert_close(weight, weights[name], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("whom", "sign", "moment"),
    [
        ("command", signal.SIGTERM, BEGUN),
        ("command", signal.SIGKILL, SAVED),
        ("main", signal.SIGTERM, SAVING),
        ("main", signal.SIGKILL, BEGUN),
        ("other", signal.SIGTERM, SAVED),
        ("other", signal.SIGKILL, SAVING),
    ],
)
def test_whoever_is_signalled_all_end_and_the_same_command_continues(
    stage: Stage, whom: str, sign: signal.Signals, moment: str
) -> None:
    expected = stage("whole").run()
    broken = stage("broken")
    process = broken.start()
    broken.wait_for(moment, process)
    time.sleep(random.Random(f"{whom} {sign} {moment}").uniform(0, 0.5))
    workers = children(process)
    os.kill({"command": process.pid, "main": workers[0], "other": workers[-1]}[whom], sign)
    signalled = time.monotonic()
    process.wait(PATIENCE)

    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < signalled + 60, "a process is left"
        time.sleep(0.05)
    lines = broken.errors()
    if process.returncode != 0 and (whom, sign) != ("command", signal.SIGKILL):
        ((*_, last),) = [lines]
        beginning = "train: interrupted" if sign == signal.SIGTERM else "train: error: process "
        assert last.startswith(beginning)
        assert len(lines) == 1
    assert broken.run() == expected
    assert not list((broken.folder / "checkpoints").glob("*"))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_disk_that_is_full_ends_all_with_one_sentence(stage: Stage, rank: int) -> None:
    expected = stage("whole").run()
    full = stage("full")
    process = full.start()
    full.wait_for(SAVED, process)
    worker = children(process)[rank]
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
    assert process.wait(PATIENCE) == 1
    (line,) = full.errors()
    assert line.startswith("train: error: no checkpoint can be saved in checkpoints/")
    assert full.run() == expected


def test_several_runs_are_interrupted_and_continued_to_the_same_bytes(stage: Stage) -> None:
    expected = stage("whole", runs=2).run()
    broken = stage("broken", runs=2)
    process = broken.start()
    broken.wait_for("checkpoints/*/run-1/checkpoint-*/average.safetensors", process)
    os.kill(children(process)[1], signal.SIGKILL)
    process.wait(PATIENCE)
    assert broken.run() == expected
    assert metrics_of(broken)["steps"] == 32


def test_two_that_would_be_shortened_but_fit_their_time_learn_what_they_do_without_a_limit(stage: Stage) -> None:
    free, limited = stage("free"), stage("limited", over_time="shorten", max_minutes=60)
    assert limited.run()[MODEL] == free.run()[MODEL]
    assert limited.output().count("they fit into train.max_minutes of 60") == 1
    assert metrics_of(limited) == metrics_of(free)


def test_the_same_training_is_refused_while_it_runs(stage: Stage) -> None:
    busy = stage("busy", epochs=1000)
    first = busy.start()
    busy.wait_for(BEGUN, first)
    second = busy.start()
    assert second.wait(PATIENCE) == 1
    assert len(busy.errors()) >= 1
    assert any(line.startswith("train: error: another process runs this very training") for line in busy.errors())
    first.terminate()
    assert first.wait(PATIENCE) == 128 + signal.SIGTERM


def test_what_they_say_to_each_other_stays_within_the_machine(stage: Stage) -> None:
    private = stage("private", epochs=1000)
    process = private.start()
    private.wait_for(BEGUN, process)
    sockets = {str(path.readlink()) for pid in children(process) for path in Path(f"/proc/{pid}/fd").iterdir()}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = [
        socket.inet_ntoa(bytes.fromhex(line[1][:8])[::-1]) for line in listening if f"socket:[{line[9]}]" in sockets
    ]
    process.terminate()
    process.wait(PATIENCE)
    assert addresses
    assert set(addresses) == {"127.0.0.1"}
