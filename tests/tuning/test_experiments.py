"""Trials as experiments of DVC: all there whoever is killed, stopped early, and brought home from a cluster."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.project import ROOT, Project

pytestmark = pytest.mark.slow

STAGE = {
    "cmd": "python training.py",
    "deps": ["training.py"],
    "params": ["train"],
    "metrics": [{"metrics/train.json": {"cache": False}}],
}
PLAN = {
    "study": "rates",
    "trials": 3,
    "seed": 0,
    "attempts": 3,
    "prune_after": None,
    "base": {"threads": 1},
    "space": {"train.lr": {"low": 1e-4, "high": 4e-4}},
}


@pytest.fixture
def tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Project]:
    """Make a repository whose train is a stand-in, with some keys of the plan changed."""

    def make(**changes: Any) -> Project:
        folder = tmp_path / "project"
        folder.mkdir()
        shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
        shutil.copyfile(Path(__file__).with_name("training.py"), folder / "training.py")
        YAML().dump({"stages": {"train": STAGE}}, folder / "dvc.yaml")
        YAML().dump(PLAN | changes, folder / "tuning.yaml")
        (folder / ".gitignore").write_text("/studies/\n/logs/\n__pycache__/\n/.venv/\n", encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        project = Project(folder)
        project.run("git", "init", "--quiet")
        project.dvc("init", "--quiet")
        (folder / ".dvc/config").write_text("[core]\n    analytics = false\n    autostage = true\n", encoding="utf-8")
        project.commit("a stand-in")
        return project

    return make


def trials_of(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.read("studies/rates/trials.json"))["trials"]
    return found


def wait_for(project: Project, pattern: str) -> None:
    deadline = time.monotonic() + 600
    while not list(project.folder.glob(pattern)):
        assert time.monotonic() < deadline, pattern
        time.sleep(0.05)


def test_two_workers_one_of_them_killed_leave_every_trial_as_an_experiment_and_no_trace(
    tuned: Callable[..., Project],
) -> None:
    project = tuned()
    first = project.start("python", "-m", "tuning")
    wait_for(project, "studies/rates/checkpoints/rates-0/key/checkpoint-1")
    second = project.start("python", "-m", "tuning")
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    assert second.communicate()[0]
    output = project.run("python", "-m", "tuning").stdout

    names = {f"rates-{number}" for number in range(3)}
    trials = trials_of(project)
    assert {trial["experiment"] for trial in trials} == names
    assert len(trials) == 3
    assert set(project.dvc("exp", "list", "--name-only").split()) == names
    shown = project.dvc("exp", "show", "--csv")
    best = min(trials, key=lambda trial: trial["log_loss"])
    assert all(name in shown for name in names)
    assert str(best["log_loss"]) in shown
    assert f"dvc exp apply {best['experiment']}" in output
    assert project.run("git", "status", "--porcelain").stdout == ""

    project.dvc("exp", "apply", best["experiment"])
    params = YAML(typ="safe", pure=True).load(project.folder / "params.yaml")
    assert params["train"]["lr"] == best["changes"]["train.lr"]
    assert params["threads"] == 1


def test_a_poor_trial_is_interrupted_while_it_trains_and_is_no_experiment(tuned: Callable[..., Project]) -> None:
    # With this seed the good rate comes first.
    project = tuned(trials=2, seed=2, prune_after=1, space={"train.lr": [2e-4, 1e-1]})
    project.run("python", "-m", "tuning")
    trials = trials_of(project)
    assert [trial["changes"]["train.lr"] for trial in trials] == [2e-4, 1e-1]
    assert [trial["state"] for trial in trials] == ["complete", "pruned"]
    assert len(trials[1]["validations"]) < 4
    assert project.dvc("exp", "list", "--name-only").split() == ["rates-0"]


def test_what_fails_is_told_with_its_error_and_where_its_log_is(tuned: Callable[..., Project]) -> None:
    project = tuned()
    (project.folder / "training.py").write_text("raise SystemExit('train: error: the disk is full')", encoding="utf-8")
    project.commit("it fails")
    process = project.run("python", "-m", "tuning", check=False)

    assert process.returncode == 1
    assert "tuning: error: 3 trials in a row failed, the last with: train: error: the disk is full" in process.stdout
    assert "(all of it: studies/rates/logs/rates-2.log)" in process.stdout
    assert "Traceback" not in process.stdout


def test_a_push_that_is_refused_is_told_with_what_the_log_says(tuned: Callable[..., Project]) -> None:
    project = tuned(attempts=1)
    # Where experiments go there is a file, so that none can.
    (project.folder / ".git/refs/exps").write_text("", encoding="utf-8")
    process = project.run("python", "-m", "tuning", check=False)

    assert process.returncode == 1
    assert "tuning: error: 3 trials in a row failed, the last with: dvc exp push failed: " in process.stdout
    assert "(all of it: studies/rates/logs/rates-2.log)" in process.stdout
    assert "Traceback" not in process.stdout


def test_the_tasks_of_an_array_leave_their_experiments_where_home_can_pull_them(
    tuned: Callable[..., Project], tmp_path: Path
) -> None:
    cluster = tuned()
    (cluster.folder / ".venv/bin").mkdir(parents=True)
    (cluster.folder / ".venv/bin/activate").touch()
    home = Project(tmp_path / "home")
    cluster.run("git", "clone", "--quiet", ".", str(home.folder))

    tasks = [
        cluster.start("bash", str(ROOT / "deploy/tune.sbatch"), SLURM_SUBMIT_DIR=str(cluster.folder)) for _ in range(2)
    ]
    outputs = [task.communicate()[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], outputs
    home.dvc("remote", "add", "--local", "cluster", str(cluster.folder / ".dvc/cache"))
    home.dvc("exp", "pull", "--remote", "cluster", "origin", "rates-0", "rates-1", "rates-2")

    assert set(home.dvc("exp", "list", "--name-only").split()) == {"rates-0", "rates-1", "rates-2"}
    home.dvc("exp", "apply", "rates-1")
    assert json.loads(home.read("metrics/train.json"))["validation"]["log_loss"] > 0
