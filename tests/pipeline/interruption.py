"""What tests of interruptions share: a training that gets a signal at a chosen moment, and what it has written."""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.project import Project

PATIENCE = 600
"""Seconds."""


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
STATED = "checkpoints/*/checkpoint-*/trainer_state.json"
"""The last that the Trainer writes of a checkpoint; the moving average follows."""
SAVED = "checkpoints/*/checkpoint-*/average.safetensors"
WRITING = "models/sentiment.tmp/*"


def interrupt(project: Project, sign: signal.Signals, wanted: str) -> subprocess.Popen[str]:
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
