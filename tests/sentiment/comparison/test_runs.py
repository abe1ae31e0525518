"""sentiment.comparison on runs that git and DVC keep."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sentiment.comparison import __main__ as compare
from sentiment.comparison.runs import Run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.reviews.selection import content_id
from tests.project import Project

TEXTS = {name: [f"{name} review {number}" for number in range(12)] for name in ("test", "books", "travel")}
PARAMS = "cross_datasets: [books]\ntrain:\n  lr: 1e-4\n"


def write(folder: Path, datasets: list[str], params: str, *, wrong: int, rows: int = 12) -> None:
    """Write a run: params.yaml, and predictions that are right but for the first `wrong` reviews of each dataset."""
    (folder / "params.yaml").write_text(params, encoding="utf-8")
    write_json(
        folder / "models/sentiment/preprocessing.json",
        {"cleaning": {"html_breaks": True}},
    )
    for name in datasets:
        ids = [content_id(text) for text in TEXTS[name]]
        scores = np.where(np.arange(12) < wrong, 0.1, 0.9)
        tables = {
            f"data/predictions/{'' if name == 'test' else 'cross/'}{name}.parquet": pd.DataFrame(
                {"id": ids, "label": 1, "score": scores}
            )[:rows],
            "data/subsampled/test.parquet" if name == "test" else f"data/cross/{name}.parquet": pd.DataFrame(
                {"id": ids, "text": [f"{text}<br />" if name != "test" else text for text in TEXTS[name]]}
            ),
        }
        for path, table in tables.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            table.to_parquet(folder / path)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a repository with the runs `main`, `fewer` (a tag), `other-rate` (an experiment) and a workspace."""
    project = Project(tmp_path_factory.mktemp("runs"))
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.dvc("init", "--quiet")
    project.run("dvc", "config", "core.autostage", "true")
    write(project.folder, ["test", "books"], PARAMS, wrong=4)
    project.dvc("add", "--quiet", "data", "models")
    project.commit("main")
    write(project.folder, ["test", "books"], PARAMS, wrong=4, rows=10)
    project.dvc("add", "--quiet", "data")
    project.commit("fewer reviews")
    project.run("git", "tag", "fewer")
    project.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    write(
        project.folder,
        ["test", "books", "travel"],
        PARAMS.replace("1e-4", "3e-5").replace("books", "books, travel"),
        wrong=1,
    )
    project.dvc("add", "--quiet", "data")
    project.dvc("exp", "save", "--quiet", "--name", "other-rate")
    write(project.folder, ["test", "books", "travel"], PARAMS, wrong=0)
    return project


@pytest.fixture
def compared(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run the command in the repository and return what it printed."""
    monkeypatch.chdir(project.folder)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["compare", *arguments])
        compare.main()
        return capsys.readouterr().out

    return run


def test_a_run_is_judged_by_its_own_models_threshold(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    assert Run("main").threshold == 0.5
    write_json(project.folder / "metrics/train.json", {"decision": {"threshold": 0.3}})
    assert Run("workspace").threshold == 0.3
    (project.folder / "metrics/train.json").unlink()


def test_a_branch_and_an_experiment_are_read_from_the_cache(compared: Callable[..., str]) -> None:
    report = json.loads(compared("main", "other-rate", "--json"))

    assert report["a"]["name"] == "main"
    assert len(report["b"]["revision"]) == 40
    assert report["a"]["revision"] != report["b"]["revision"]
    assert list(report["datasets"]) == ["test", "books"]
    assert report["not_in_both"] == ["travel"]
    for found in report["datasets"].values():
        assert (found["a"]["accuracy"], found["b"]["accuracy"]) == (0.666667, 0.916667)
        assert (found["only_a_right"], found["only_b_right"], found["mcnemar_p"]) == (0, 3, 0.25)
    assert report["parameters"] == {
        "cross_datasets": [["books"], ["books", "travel"]],
        "train.lr": [1e-4, 3e-5],
    }


def test_the_texts_of_flipped_reviews_are_shown_as_the_model_read_them(compared: Callable[..., str]) -> None:
    report = json.loads(compared("main", "other-rate", "--json"))

    for name, found in report["datasets"].items():
        assert {review["text"] for review in found["flips"]["only_b_right"]} == set(TEXTS[name][1:4])


def test_a_run_whose_cleaning_this_version_does_not_know_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    run = Run("main")
    monkeypatch.setattr(run, "read", lambda _path: b'{"cleaning": {"html_breaks": true, "emoji": false}}')

    message = r"^models/sentiment/preprocessing\.json of main: emoji is unknown: legal are html_breaks$"
    with pytest.raises(UserError, match=message):
        run.texts("books")


def test_the_workspace_is_what_lies_there_now(compared: Callable[..., str]) -> None:
    report = json.loads(compared("main", "workspace", "--json"))

    assert report["b"] == {"name": "workspace", "revision": None}
    assert report["datasets"]["test"]["b"]["accuracy"] == 1
    assert report["parameters"] == {}


def test_a_commit_is_read_by_its_abbreviated_hash(project: Project, compared: Callable[..., str]) -> None:
    commit = project.run("git", "rev-parse", "--short", "main").stdout.strip()

    text = compared(commit, "main")
    assert f"A = {commit} (" in text
    assert "+0.000 (+0.000 to +0.000)" in text
    assert "No parameter differs." in text


def test_markdown_has_tables(compared: Callable[..., str]) -> None:
    text = compared("main", "other-rate", "--md")

    assert "## A = main (" in text
    assert "| test      | 12  | 0.667 (0.391 to 0.862)" in text
    assert "## books: 3 right in B, wrong in A" in text


def test_different_reviews_are_refused_and_counted_dataset_by_dataset(compared: Callable[..., str]) -> None:
    with pytest.raises(UserError) as caught:
        compared("main", "fewer")

    sentence = "A and B were not scored on the same reviews: 2 are only in A, 0 only in B"
    assert f"test: {sentence}" in str(caught.value)
    assert f"books: {sentence}" in str(caught.value)


def test_a_run_of_which_only_the_first_stages_ran_is_refused_with_what_to_run(
    project: Project, compared: Callable[..., str]
) -> None:
    def lock(*stages: str) -> None:
        (project.folder / "dvc.lock").write_text("schema: '2.0'\nstages:\n" + "".join(stages), encoding="utf-8")

    subsample = "  subsample:\n    cmd: a\n    outs:\n    - {path: data/subsampled, md5: %s}\n"
    evaluate = (
        "  evaluate:\n    cmd: b\n    deps:\n    - {path: data/subsampled, md5: old}\n"
        "    outs:\n    - {path: data/predictions/test.parquet, md5: c}\n"
    )
    try:
        lock(subsample % "old", evaluate)
        compared("main", "workspace")
        lock(subsample % "new", evaluate)
        with pytest.raises(UserError) as caught:
            compared("main", "workspace")
    finally:
        (project.folder / "dvc.lock").unlink()
    assert str(caught.value) == (
        "data/predictions/test.parquet of workspace was made with other data or parameters than it has now, as "
        "evaluate has not run since data/subsampled changed: `dvc exp run` brings it up to date"
    )


def test_an_unknown_revision_is_named_with_where_to_find_known_ones(compared: Callable[..., str]) -> None:
    with pytest.raises(UserError, match="mian is no experiment, branch, tag or commit: `dvc exp list --all-commits`"):
        compared("mian", "workspace")


def test_predictions_that_are_not_in_the_cache_are_named_with_how_to_get_them(
    project: Project, compared: Callable[..., str], tmp_path: Path
) -> None:
    cache = project.folder / ".dvc/cache"
    cache.rename(tmp_path / "cache")
    try:
        with pytest.raises(UserError) as caught:
            compared("main", "workspace")
    finally:
        (tmp_path / "cache").rename(cache)
    assert str(caught.value) == (
        "data/predictions/test.parquet of main is neither in git nor in the cache: `dvc fetch` gets it if you have a "
        "remote, else `dvc exp apply` or `git checkout` that run and `dvc repro`"
    )


def test_outside_of_a_repository_the_command_says_where_to_run_it(
    compared: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=r"main can't be read: .+; run from the project's folder"):
        compared("main", "workspace")
