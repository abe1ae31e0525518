"""A training that is killed and started again ends with the bytes of one that was left alone."""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.project import Project

PATIENCE = 600


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def results(project: Project) -> dict[str, str]:
    """Return the hashes of everything that train writes."""
    found = contents(project.folder / "models/sentiment") | contents(project.folder / "plots/training")
    return found | {"metrics": project.read("metrics/train.json")}


BEGUN = "plots/training/plots"
SAVING = "checkpoints/*/checkpoint-*"
SAVED = "checkpoints/*/checkpoint-*/trainer_state.json"
WRITING = "models/sentiment.tmp/*"


def interrupted(project: Project, sign: signal.Signals, wanted: str) -> subprocess.Popen[str]:
    """Start train anew, send it the signal once a file of the wanted name is there, and wait for its end."""
    shutil.rmtree(project.folder / "plots/training")
    process = project.start("python", "-m", "stages.train")
    deadline = time.monotonic() + PATIENCE
    while not list(project.folder.glob(wanted)):
        assert process.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, sign)
    process.wait(PATIENCE)
    return process


@pytest.mark.parametrize("moment", [BEGUN, SAVING, SAVED, WRITING])
def test_a_killed_training_is_continued_to_the_same_bytes(project: Project, moment: str) -> None:
    before = results(project)
    process = interrupted(project, signal.SIGKILL, moment)
    assert process.returncode == -signal.SIGKILL
    whole = list(project.folder.glob(SAVED))

    output = project.run("python", "-m", "stages.train").stdout

    assert ("continuing from" in output) == bool(whole)
    assert results(project) == before
    assert not list(project.folder.glob("checkpoints/*"))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_saves_says_how_to_go_on_and_is_continued_to_the_same_bytes(
    project: Project, sign: signal.Signals
) -> None:
    before = results(project)
    process = interrupted(project, sign, BEGUN)

    assert process.returncode == 128 + sign
    assert process.stdout is not None
    output = process.stdout.read()
    assert "interrupted: saving a checkpoint first" in output
    assert "train: interrupted; the same command again starts over or continues" in output
    assert "Traceback" not in output
    assert contents(project.folder / "models/sentiment").items() <= before.items()

    assert "continuing from" in project.run("python", "-m", "stages.train").stdout
    assert results(project) == before
    assert "up to date" in project.dvc("status")


def test_ctrl_c_while_the_model_is_written_leaves_no_half_written_output(project: Project) -> None:
    before = results(project)
    process = interrupted(project, signal.SIGINT, SAVED)

    # What comes after the last checkpoint takes a moment: it may have ended before the signal came.
    assert process.returncode in {0, 128 + signal.SIGINT}
    assert process.stdout is not None
    assert "Traceback" not in process.stdout.read()
    assert contents(project.folder / "models/sentiment").items() <= before.items()

    project.run("python", "-m", "stages.train")
    assert results(project) == before
