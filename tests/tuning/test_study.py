"""A study with a tiny objective: what is proposed, shared, stopped, queued again and told."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from sentiment.core.errors import UserError
from tuning.__main__ import tell
from tuning.experiment import run_experiment
from tuning.space import Plan
from tuning.study import Claim, Study, Task, UnfinishedError

SPACE: dict[str, Any] = {"x": {"low": 0.0, "high": 1.0}, "y": [[1], [1, 3]]}
PLAN = Plan(study="small", trials=8, seed=0, attempts=2, prune_after=None, base={}, space=SPACE)


def objective(task: Task) -> float:
    return float(task.changes["x"]) + len(task.changes["y"])


def study_in(folder: Path, **changes: Any) -> Study:
    return Study(PLAN.model_copy(update=changes), folder, {"seed": 1, "train": {"lr": 2}})


def trials_of(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "trials.json").read_text(encoding="utf-8"))["trials"]
    return found


def test_the_same_seed_proposes_the_same_trials_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        study_in(tmp_path / name, seed=seed).work(objective)

    assert trials_of(tmp_path / "a") == trials_of(tmp_path / "b") != trials_of(tmp_path / "c")
    assert len(trials_of(tmp_path / "a")) == 8


def test_the_best_trial_and_how_much_each_parameter_matters_are_told(tmp_path: Path) -> None:
    study = study_in(tmp_path, trials=20)
    study.work(objective)
    found = study.found()

    best = next(trial for trial in found["trials"] if trial["experiment"] == found["best"])
    assert best["log_loss"] == min(trial["log_loss"] for trial in found["trials"])
    assert best["changes"]["y"] == [1]
    assert found["importances"].keys() == {"x", "y"}
    assert sum(found["importances"].values()) == pytest.approx(1)


def test_a_study_goes_on_where_it_ended(tmp_path: Path) -> None:
    study_in(tmp_path, trials=3).work(objective)
    first = trials_of(tmp_path)
    study_in(tmp_path, trials=5).work(objective)

    assert trials_of(tmp_path)[:3] == first
    assert len(trials_of(tmp_path)) == 5


def test_a_study_that_was_begun_with_other_parameters_is_refused_with_their_difference(tmp_path: Path) -> None:
    study_in(tmp_path)

    with pytest.raises(UserError, match=r"small was begun with other parameters.*\(train\.lr: 2, now 3\): give it"):
        Study(PLAN, tmp_path, {"seed": 1, "train": {"lr": 3}})


def test_a_trial_above_the_median_of_the_earlier_ones_is_stopped_early(tmp_path: Path) -> None:
    values = iter([0.1, 0.2, 0.3, 0.9, 0.05])

    def validated(task: Task) -> float:
        value = next(values)
        if task.report(1, value):
            raise optuna.TrialPruned
        return value

    study_in(tmp_path, trials=5, prune_after=3).work(validated)

    assert [trial["state"] for trial in trials_of(tmp_path)] == ["complete"] * 3 + ["pruned", "complete"]
    assert trials_of(tmp_path)[3]["validations"] == [0.9]


def test_a_failing_trial_is_told_and_three_in_a_row_end_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(task: Task) -> float:
        raise UserError("no space left")

    with pytest.raises(UserError, match=r"^3 trials in a row failed, the last with: no space left$"):
        study_in(tmp_path).work(fail)
    assert "small-0: failed: no space left" in capsys.readouterr().out


def test_a_trial_whose_results_can_not_be_brought_home_is_tried_again_and_given_up_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[str] = []

    def push(task: Task) -> float:
        tried.append(task.name)
        if task.name == "small-0":
            raise UnfinishedError("dvc exp push failed")
        return objective(task)

    study = study_in(tmp_path, trials=2)
    study.work(push)

    assert tried == ["small-0", "small-0", "small-1"]
    assert "small-0: given up, as it did not come to its end 2 times" in capsys.readouterr().out
    assert [trial["state"] for trial in study.found()["trials"]] == ["fail", "complete"]


def test_what_dvc_refuses_around_a_training_is_told_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study_in(tmp_path / "study").ask()
    assert asked
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        UnfinishedError, match=r"^dvc cache dir failed: ERROR: .*\(all of it: study/logs/small-0\.log\)$"
    ):
        run_experiment(asked[1], {}, Path("study"))


def test_an_interrupted_trial_is_the_next_one_again_under_its_name(tmp_path: Path) -> None:
    def interrupt(task: Task) -> float:
        raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            study_in(tmp_path).work(interrupt)
    study_in(tmp_path).work(objective)

    assert [trial["experiment"] for trial in trials_of(tmp_path)] == [f"small-{number}" for number in range(8)]


def killed(folder: Path, begun: Path) -> None:
    def hang(task: Task) -> float:
        begun.write_text(f"{task.name} {json.dumps(task.changes)}", encoding="utf-8")
        time.sleep(60)
        return 0.0

    study_in(folder).work(hang)


def kill_a_worker(folder: Path, begun: Path) -> str:
    process = multiprocessing.get_context("fork").Process(target=killed, args=(folder, begun))
    process.start()
    while not begun.exists() or not begun.read_text(encoding="utf-8"):
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    text = begun.read_text(encoding="utf-8")
    begun.unlink()
    return text


def test_the_trial_of_a_killed_worker_is_queued_again_with_its_parameters_and_given_up_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = kill_a_worker(tmp_path / "study", tmp_path / "begun")
    second = kill_a_worker(tmp_path / "study", tmp_path / "begun")
    study_in(tmp_path / "study").work(objective)

    assert first == second
    assert "small-0: given up, as it did not come to its end 2 times" in capsys.readouterr().out
    names = [trial["experiment"] for trial in trials_of(tmp_path / "study")]
    assert len(names) == len(set(names)) == 8
    assert study_in(tmp_path / "study").states() == {"complete": 7, "fail": 1}


def test_a_trial_that_another_worker_has_is_left_to_it_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = study_in(tmp_path).ask()
    assert asked
    with asked[1].claim:
        study_in(tmp_path).work(objective)
        tell(study_in(tmp_path))

    said = "1 still running, in another worker or after one was killed: run the same command again"
    assert said in capsys.readouterr().out.splitlines()
    assert len(trials_of(tmp_path)) == 7
    study_in(tmp_path).work(objective)
    assert len(trials_of(tmp_path)) == 8


def test_a_trial_that_ends_while_others_are_looked_for_is_left_as_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = study_in(tmp_path, trials=1)
    asked = other.ask()
    assert asked
    trial, task = asked

    class Late(Claim):
        def __init__(self, path: Path) -> None:
            other.study.tell(trial, 0.5)
            os.close(task.claim.descriptor)
            super().__init__(path)

    monkeypatch.setattr("tuning.study.Claim", Late)
    study = study_in(tmp_path, trials=1)

    assert study.ask() is None
    assert [trial["state"] for trial in study.found()["trials"]] == ["complete"]


def work(folder: Path, run: Callable[[Task], float] = objective) -> None:
    study_in(folder, trials=12).work(run)


def test_two_workers_share_a_study_without_a_trial_lost_or_done_twice(tmp_path: Path) -> None:
    workers = [multiprocessing.get_context("fork").Process(target=work, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(trial["number"] for trial in trials_of(tmp_path)) == list(range(12))
    assert len({trial["changes"]["x"] for trial in trials_of(tmp_path)}) == 12
