"""The pipeline as its users use it: repro, status, exp run, queue, diff, going back, and Ctrl-C."""

import json
import re
import signal
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from tests.pipeline.interruption import BEGUN, contents, interrupt, results
from tests.project import Project

STAGE = re.compile(r"^Running stage '([^']+)'", re.MULTILINE)
FROM_TRAIN_ON = {
    "train",
    "evaluate",
    "behaviour",
    "export",
    "compare_tokenizers",
    "cross_dataset_evaluate",
    "compare_baseline",
}


ELSEWHERE = {
    "PYTHONHASHSEED": "7",
    "TZ": "Pacific/Chatham",
    "LC_ALL": "C",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONUTF8": "0",
    "HOME": "/nonexistent",
}
"""Another seed of Python's hashes, another time zone, a locale without UTF-8, no home."""


@pytest.mark.slow
def test_two_runs_in_two_folders_and_environments_end_with_the_same_lock(
    project: Project, new_project: Callable[[], Project]
) -> None:
    other = new_project()
    other.run("dvc", "repro", **ELSEWHERE)

    assert other.read("dvc.lock") == project.read("dvc.lock")


def test_a_second_repro_runs_nothing(project: Project) -> None:
    output = project.dvc("repro")

    assert "Data and pipelines are up to date." in output
    assert not STAGE.findall(output)


def test_a_clone_without_a_cache_shows_metrics_before_anything_ran(project: Project) -> None:
    clone = project.folder.parent / "bare_clone"
    project.run("git", "clone", "--quiet", ".", str(clone))

    shown = json.loads(Project(clone).dvc("metrics", "show", "--json"))

    metrics = shown[""]["data"]
    assert metrics["metrics/evaluate.json"]["data"]["n"] == 100
    assert metrics["metrics/cross/books.json"]["data"]["n"] == 100


def changed_by_editing(project: Project, package: str) -> set[str]:
    """Return the stages that dvc status names once every module of a package is edited; then undo the edits."""
    for module in (project.folder / package).glob("*.py"):
        module.write_text(module.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    found = set(json.loads(project.dvc("status", "--json", "dvc.yaml")))
    project.run("git", "checkout", "--quiet", package)
    return found


def test_editing_what_evaluates_trains_nothing_anew(project: Project) -> None:
    found = changed_by_editing(project, "sentiment/evaluation")

    assert {"evaluate", "behaviour", "cross_dataset_evaluate"} <= found
    assert found.isdisjoint({"download", "subsample", "tokenize", "train", "export"})


def test_editing_what_serves_exports_anew_and_no_more(project: Project) -> None:
    assert changed_by_editing(project, "sentiment/serving") == {"export"}
    assert project.dvc("status", "--json", "dvc.yaml").strip() == "{}"


def test_an_experiment_reruns_what_reads_its_parameter_shows_its_difference_and_can_be_undone(project: Project) -> None:
    before = project.read("dvc.lock")
    output = project.dvc("exp", "run", "--name", "looser", "--set-param", "baseline.C=[100]")

    assert set(STAGE.findall(output)) == {"baseline", "cross_dataset_baseline", "compare_baseline"}
    assert load_params(project.folder / "params.yaml").baseline.C == [100]
    changed = set(json.loads(project.dvc("metrics", "diff", "--json")))
    assert {"metrics/baseline.json", "metrics/cross_baseline/books.json"} <= changed
    assert changed <= {f"metrics/{name}.json" for name in ("baseline", "cross_baseline/books", "compare_baseline")}
    assert list(json.loads(project.dvc("params", "diff", "--json"))["params.yaml"]) == ["baseline.C"]

    project.run("git", "checkout", "--quiet", "params.yaml")
    assert not STAGE.findall(project.dvc("repro"))
    assert project.read("dvc.lock") == before
    assert project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_saves_says_how_to_go_on_and_is_continued_to_the_same_bytes(
    project: Project, sign: signal.Signals
) -> None:
    before = results(project)
    process = interrupt(project, sign, BEGUN)

    assert process.returncode == 128 + sign
    assert process.stdout is not None
    output = process.stdout.read()
    assert "interrupted: saving a checkpoint first" in output
    assert "train: interrupted; the same command again starts over or continues" in output
    assert "Traceback" not in output
    assert contents(project.folder / "models/sentiment").items() <= before.items()

    assert "continuing from" in project.run("python", "-m", "stages.train").stdout
    assert results(project) == before
    assert "up to date" in project.dvc("status", "dvc.yaml")


@pytest.mark.slow
def test_an_experiment_with_another_rate_reruns_train_and_what_follows_and_can_be_undone(project: Project) -> None:
    before = project.read("dvc.lock")
    output = project.dvc("exp", "run", "--name", "slower", "--set-param", "train.lr=3e-5")

    assert set(STAGE.findall(output)) == FROM_TRAIN_ON
    assert load_params(project.folder / "params.yaml").train.lr == 3e-5

    changed = json.loads(project.dvc("metrics", "diff", "--json"))
    assert {Path(file).stem for file in changed} <= {
        "train",
        "evaluate",
        "behaviour",
        "export",
        "tokenizers",
        "books",
        "compare_baseline",
    }
    assert "log_loss" in changed["metrics/evaluate.json"]
    assert list(json.loads(project.dvc("params", "diff", "--json"))["params.yaml"]) == ["train.lr"]
    assert "slower" in project.dvc("exp", "show", "--only-changed", "--md")
    assert project.dvc("plots", "diff", "HEAD", "workspace", "--json")
    assert "| train.lr " in project.run("python", "-m", "sentiment.comparison", "HEAD", "slower", "--md").stdout

    project.run("git", "checkout", "--quiet", "params.yaml")
    output = project.dvc("repro")
    assert "Stage 'train' is cached - skipping run" in output
    assert not STAGE.findall(output)
    assert project.read("dvc.lock") == before
    assert project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.slow
def test_queued_and_temporary_experiments_need_nothing_untracked(project: Project) -> None:
    train = ("--name", "trained", "--set-param", "train.lr=1e-5", "evaluate")
    count = ("--name", "counted", "--set-param", "baseline.C=[2]", "baseline")
    for queued in (train, count):
        project.dvc("exp", "run", "--queue", *queued)
    project.dvc("queue", "start", "--jobs", "2")
    for name in ("trained", "counted"):
        project.dvc("queue", "logs", "--follow", name)
    project.dvc("exp", "run", "--temp", "--name", "temporary", "--set-param", "train.lr=4e-5", "evaluate")

    listed = project.dvc("exp", "list", "--name-only").split()
    assert {"trained", "counted", "temporary"} <= set(listed), project.dvc("queue", "status")
    assert project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.slow
def test_several_seeds_give_a_mean_and_a_standard_deviation_of_every_headline_metric(project: Project) -> None:
    project.run("python", "-m", "benchmarks.seeds", "2")
    result = json.loads(project.read("benchmarks/seeds.json"))
    project.run("git", "checkout", "--quiet", ".")
    project.run("git", "clean", "--quiet", "--force", "benchmarks")

    accuracies = [result["seeds"][seed]["test"]["accuracy"] for seed in ("1", "2")]
    assert result["summary"]["test"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 2, abs=1e-6)
    assert set(result["summary"]) == {"test", "books"}
    assert result["seeds"]["1"] != result["seeds"]["2"]
    assert "2 or more" in project.run("python", "-m", "benchmarks.seeds", "1", check=False).stdout


@pytest.mark.slow
def test_folds_score_every_training_review_once_compare_two_settings_and_train_nothing_twice(project: Project) -> None:
    before = (project.read("dvc.lock"), project.read("params.yaml"))
    output = project.run("python", "-m", "benchmarks.folds", "2", "--set", "train.lr=1e-3").stdout
    result = json.loads(project.read("benchmarks/folds.json"))
    scores, changed, *splits = (
        read_parquet(project.folder / f"data/{name}.parquet", ["id", "label"]).to_pydict()
        for name in ("folds/scores", "folds/changed", "subsampled/train", "subsampled/validation")
    )

    assert re.search(
        r"with train\.lr=1e-3 the accuracy is 0\.\d+ (higher|lower) \(95 % interval of the difference", output
    )
    assert result["folds"].keys() == {"1", "2"}
    assert result["summary"].keys() == {"params.yaml", "train.lr=1e-3"}
    assert result["folds"]["1"]["params.yaml"] != result["folds"]["1"]["train.lr=1e-3"]
    assert scores == changed
    assert sorted(scores["id"]) == sorted(chain.from_iterable(split["id"] for split in splits))
    assert result["difference"]["n"] == result["reviews"] == len(scores["id"])
    assert (project.read("dvc.lock"), project.read("params.yaml")) == before

    trained = sorted((project.folder / ".dvc/cache/runs").rglob("*"))
    project.run("make", "folds", "K=2", "--assume-old=.venv/run.stamp", "ACTIVATE=true")
    assert sorted((project.folder / ".dvc/cache/runs").rglob("*")) == trained
    again = json.loads(project.read("benchmarks/folds.json"))
    assert again["folds"]["1"]["params.yaml"] == result["folds"]["1"]["params.yaml"]
    assert "difference" not in again
    project.run("git", "checkout", "--quiet", ".")
    project.run("git", "clean", "--quiet", "--force", "benchmarks")


@pytest.mark.slow
def test_adding_a_dataset_to_evaluate_on_reruns_what_scores_those_and_nothing_else(project: Project) -> None:
    project.set({"cross_datasets": ["books", "travel"]})
    output = project.dvc("repro")
    project.run("git", "checkout", "--quiet", ".")

    assert set(STAGE.findall(output)) == {
        "download_cross",
        "cross_dataset_evaluate",
        "cross_dataset_baseline",
        "compare_baseline",
    }
