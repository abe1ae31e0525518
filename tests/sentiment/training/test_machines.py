"""Trainings on several machines, which here are two launchers with an address of this one each."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from sentiment.core.machines import BEAT, LOST, SILENT
from sentiment.core.params import Params
from tests.pipeline.interruption import BEGUN, SAVED
from tests.sentiment.training.bench import TINY
from tests.sentiment.training.stage import PATIENCE, TrainStage, children
from tests.slurm import ROOT, Cluster

pytestmark = pytest.mark.slow

Stage = Callable[..., TrainStage]
Machine = subprocess.Popen[str]


@pytest.fixture
def stage(tmp_path: Path, pretrained: Path, encoded: pa.Table, params_with: Callable[..., Params]) -> Stage:
    def make(name: str, **train: object) -> TrainStage:
        params = params_with(
            seed=3,
            precision="fp32",
            threads=1,
            tokenize={"max_length": 48},
            evaluate={"batch_size": 16},
            train=TINY | {"processes": 2} | train,
        )
        return TrainStage(tmp_path / name, pretrained, encoded.slice(0, 57), params)

    return make


PIPELINE = """
stages:
  train:
    cmd: python -m stages.train
    params: [train]
    deps: [data/tokenized]
    outs: [models/sentiment, plots/training]
    metrics: [metrics/train.json: {cache: false}]
"""


def under_dvc(stage: TrainStage) -> TrainStage:
    """Put the stage's folder under the control of DVC."""
    (stage.folder / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    dvc(stage, "init", "--no-scm", "--quiet")
    return stage


def dvc(stage: TrainStage, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=stage.folder, check=True, capture_output=True, text=True).stdout


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def torchrun(*folders: Path) -> list[Machine]:
    """Start torchrun on two machines, in these folders; the first has what they meet at."""
    options = ["--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{free_port()}"]
    machines = []
    for number, folder in enumerate(folders, start=1):
        own = f"--local-addr=127.0.0.{number}"
        machines.append(start(folder, number, "torch.distributed.run", *options, own, "-m", "stages.train"))
        # The first has to be there first.
        time.sleep(1)
    return machines


def alone(*folders: Path) -> list[Machine]:
    """Start a process on each of two machines without a launcher of torch, as srun does."""
    told = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        start(folder, number, "stages.train", RANK=str(number - 1), **told)
        for number, folder in enumerate(folders, start=1)
    ]


def start(folder: Path, number: int, *module: str, **told: str) -> Machine:
    inherited = {name: value for name, value in os.environ.items() if name != "SENTIMENT_CHECKPOINT_DIR"}
    with (folder / f"said-{number}").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=folder,
            env=inherited | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)} | told,
            text=True,
            stdout=said,
            stderr=said,
        )


def said(folder: Path, *numbers: int) -> str:
    """Return what these machines have printed, or both."""
    return "\n".join((folder / f"said-{number}").read_text() for number in numbers or (1, 2))


def test_two_machines_learn_what_one_does_and_dvc_is_told(stage: Stage) -> None:
    expected = stage("one").run()
    two = under_dvc(stage("two"))
    first, second = torchrun(two.folder, two.folder)

    assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0), said(two.folder)
    dvc(two, "commit", "--force", "train")
    assert "didn't change" in dvc(two, "repro")
    assert two.results() == expected
    assert len((two.folder / "logs/timings.jsonl").read_text().splitlines()) == 1


def test_a_signal_to_one_machine_saves_and_ends_both_and_the_same_command_continues(stage: Stage) -> None:
    expected = stage("whole").run()
    two = stage("two")
    first, second = torchrun(two.folder, two.folder)
    two.wait_for(BEGUN, first)
    second.terminate()

    assert first.wait(60)
    assert second.wait(60)
    assert list(two.folder.glob(SAVED))

    first, second = torchrun(two.folder, two.folder)
    assert (first.wait(PATIENCE), second.wait(PATIENCE)) == (0, 0), said(two.folder)
    assert said(two.folder).count("continuing from") == 1
    assert two.results() == expected


@pytest.mark.parametrize(
    ("launch", "sign", "lost"),
    [(torchrun, signal.SIGKILL, 1), (alone, signal.SIGKILL, 0), (alone, signal.SIGSTOP, 0), (alone, signal.SIGSTOP, 1)],
)
def test_where_a_machine_is_lost_the_other_says_so_within_a_minute_and_the_same_command_continues(
    stage: Stage, launch: Callable[..., list[Machine]], sign: signal.Signals, lost: int
) -> None:
    """One that is stopped is as silent as one that is switched off: its connections stay open, and nobody answers."""
    expected = stage("whole", epochs=4).run()
    two = stage("two", epochs=4)
    machines = launch(two.folder, two.folder)
    two.wait_for(SAVED, machines[0])
    gone = [machines[lost].pid, *children(machines[lost])]
    for pid in gone:
        os.kill(pid, sign)
    signalled = time.monotonic()
    try:
        assert machines[1 - lost].wait(PATIENCE)
        assert time.monotonic() - signalled < 60
        assert f"train: error: {LOST}" in said(two.folder, 2 - lost)
    finally:
        for pid in gone if sign == signal.SIGSTOP else []:
            os.kill(pid, signal.SIGKILL)
        machines[lost].wait(60)

    machines = launch(two.folder, two.folder)
    assert [machine.wait(PATIENCE) for machine in machines] == [0, 0], said(two.folder)
    assert two.results() == expected


def test_machines_that_share_no_folder_are_told_so(stage: Stage) -> None:
    one, other = stage("one"), stage("other")
    machines = torchrun(one.folder, other.folder)

    assert [machine.wait(120) for machine in machines] == [1, 1]
    told = said(one.folder, 1) + said(other.folder, 2)
    assert "train: error: the machines do not share checkpoints/" in told
    assert not (one.folder / "models/sentiment").exists()


def test_a_job_of_slurm_survives_its_time_limit_and_dvc_records_what_it_has_trained(stage: Stage) -> None:
    expected = stage("whole").run()
    shared = under_dvc(stage("shared"))
    cluster = Cluster(shared.folder, 2)
    job = cluster.submit()
    shared.wait_for(BEGUN, job)
    job.send_signal(signal.SIGUSR1)
    output = job.communicate(timeout=120)[0]

    assert job.returncode == 0, output
    assert "train: interrupted; the same command again starts over or continues" in output
    assert cluster.requeued() == f"requeue {cluster.number}\n"
    assert list(shared.folder.glob(SAVED))
    assert not (shared.folder / "models/sentiment").exists()

    again = cluster.submit()
    output = again.communicate(timeout=PATIENCE)[0]
    assert again.returncode == 0, output
    assert "continuing from" in output
    assert shared.results() == expected
    assert "didn't change" in cluster.submit().communicate(timeout=120)[0]
    assert cluster.requeued() == f"requeue {cluster.number}\n"


def test_a_silent_process_is_lost_well_before_a_minute() -> None:
    assert BEAT * SILENT <= 45
