"""The job for Slurm: what it starts, and what it does when its time is over. A stand-in for dvc takes little time."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.slurm import ROOT, Cluster

DVC = """#!/bin/bash
echo dvc "$@"
echo with "$SENTIMENT_START_WITH"
({stage})
code=$?
echo the stage ended with $code
exit $code
"""
"""As dvc does, it waits for its stage."""
SAVES = f"""
{sys.executable} -c '
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("saving", flush=True), sys.exit(143)))
pathlib.Path("begun").touch()
time.sleep(600)
'"""


def submitted(folder: Path, stage: str, processes: int = 2, *arguments: str) -> subprocess.Popen[str]:
    cluster = Cluster(folder, processes)
    cluster.install("dvc", DVC.format(stage=stage))
    return cluster.submit(*arguments)


def signalled(folder: Path, stage: str, sign: signal.Signals) -> tuple[int, str, str]:
    """Signal the job's script alone once the stage has begun; return its exit status, output and what was requeued."""
    job = submitted(folder, stage)
    while not (folder / "begun").exists():
        assert job.poll() is None
        time.sleep(0.05)
    job.send_signal(sign)
    output = job.communicate(timeout=60)[0]
    file = folder / "requeued"
    return job.returncode, output, file.read_text() if file.exists() else ""


def test_it_runs_the_pipeline_or_any_other_command_of_dvc_and_ends_as_that_does(tmp_path: Path) -> None:
    job = submitted(tmp_path, "true")
    assert "dvc repro\n" in job.communicate(timeout=60)[0]
    assert job.returncode == 0

    job = submitted(tmp_path, "exit 3", 2, "exp", "run", "-S", "train.lr=3e-5")
    assert "dvc exp run -S train.lr=3e-5\n" in job.communicate(timeout=60)[0]
    assert job.returncode == 3
    assert not (tmp_path / "requeued").exists()


def test_several_processes_are_started_by_srun_one_needs_no_launcher(tmp_path: Path) -> None:
    several = submitted(tmp_path, "true").communicate(timeout=60)[0]
    assert "\nwith srun --ntasks=2 --cpus-per-task=1 --kill-on-bad-exit=1 bash -c " in several
    assert "\nwith \n" in submitted(tmp_path, "true", 1).communicate(timeout=60)[0]


def test_near_its_time_limit_the_stage_saves_and_the_job_is_queued_again(tmp_path: Path) -> None:
    code, output, requeued = signalled(tmp_path, SAVES, signal.SIGUSR1)

    assert "saving\nthe stage ended with 143\n" in output
    assert re.fullmatch(r"requeue \d+\n", requeued)
    assert code == 0


def test_a_job_that_is_cancelled_saves_and_is_not_queued_again(tmp_path: Path) -> None:
    code, output, requeued = signalled(tmp_path, SAVES, signal.SIGTERM)

    assert "saving\nthe stage ended with 143\n" in output
    assert (code, requeued) == (143, "")


def test_work_that_is_done_just_before_the_limit_is_not_queued_again(tmp_path: Path) -> None:
    code, _, requeued = signalled(tmp_path, 'touch begun; trap "" TERM; sleep 1', signal.SIGUSR1)

    assert (code, requeued) == (0, "")


def test_it_asks_slurm_for_a_signal_in_time_and_to_be_queued_again() -> None:
    options = re.findall(r"^#SBATCH (.*)", (ROOT / "deploy/slurm.sbatch").read_text(encoding="utf-8"), re.MULTILINE)

    assert {"--signal=B:USR1@120", "--requeue", "--open-mode=append"} <= set(options)
