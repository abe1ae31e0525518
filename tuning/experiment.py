"""One trial as an experiment of DVC: in a clone of its own, watched while it trains, and brought home."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from benchmarks.trials import temporary_clone
from sentiment.core.errors import UserError
from tuning.study import Task, UnfinishedError

POLL = 0.5
"""Seconds between two looks at a training."""
PATIENCE = 120
"""Seconds that an interrupted training has to save its checkpoint."""


def run_experiment(task: Task, base: dict[str, Any], folder: Path) -> float:
    """Train with the task's parameters over `base`, and return the log loss on the validation reviews.

    The experiment, its parameters and metrics are then known to the repository under the task's name. Raises
    TrialPruned where the study says to stop, UserError with what its log, in `folder`, says where it fails, and
    UnfinishedError where that is not the training's doing.
    """
    checkpoints = (folder / "checkpoints" / task.name).absolute()
    log = folder / "logs" / f"{task.name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w", encoding="utf-8") as output, _told(log), temporary_clone(output) as clone:
        clone.set(base | task.changes)
        process = subprocess.Popen(
            ["dvc", "exp", "run", "--name", task.name, "train"],
            cwd=clone.folder,
            env=clone.environment | {"SENTIMENT_CHECKPOINT_DIR": str(checkpoints)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[task.claim.descriptor],
        )
        try:
            pruned = follow(process, task, checkpoints)
        finally:
            stop(process)
        if pruned:
            shutil.rmtree(checkpoints, ignore_errors=True)
            raise optuna.TrialPruned
        if process.returncode:
            raise UserError(f"{last_error(log)} (all of it: {log})")
        push = ["dvc", "exp", "push", "--quiet", "--no-cache", "--force", "origin", task.name]
        subprocess.run(push, cwd=clone.folder, env=clone.environment, stdout=output, stderr=output, check=True)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return float(clone.read("metrics/train.json")["validation"]["log_loss"])


@contextmanager
def _told(log: Path) -> Iterator[None]:
    try:
        yield
    except subprocess.CalledProcessError as error:
        what = " ".join(error.cmd[:3])
        raise UnfinishedError(f"{what} failed: {last_error(log)} (all of it: {log})") from None


def follow(process: subprocess.Popen[bytes], task: Task, checkpoints: Path) -> bool:
    """Report the validations of a training until it ends or should be stopped; return whether it should."""
    reported = 0
    while process.poll() is None:
        for log_loss in validations(checkpoints)[reported:]:
            reported += 1
            if task.report(reported, log_loss):
                return True
        time.sleep(POLL)
    return False


def validations(checkpoints: Path) -> list[float]:
    """Return the log losses of the validations so far, each of which comes with a checkpoint."""
    states = checkpoints.glob("*/checkpoint-*/trainer_state.json")
    try:
        newest = max(states, key=lambda state: int(state.parent.name.rpartition("-")[2]))
        history = json.loads(newest.read_text(encoding="utf-8"))["log_history"]
    except (OSError, ValueError):
        # There is none yet, it is being written, or a newer one has taken its place.
        return []
    return [entry["eval_log_loss"] for entry in history if "eval_log_loss" in entry]


def stop(process: subprocess.Popen[bytes]) -> None:
    """Interrupt a training that has not ended, with all of its processes, and wait until it has saved a checkpoint."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, sign)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            continue


def last_error(log: Path) -> str:
    """Return the line of a log that says best why the run failed."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return next((line for line in lines if ": error: " in line), lines[-1] if lines else "it said nothing")
