"""What the documents ask a reader to type does what they say, typed in the order of `RUN` in a shrunken project."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.project import Project
from tests.report.documents import RUN

READING = {command: f"{command} download" for command in RUN if "dataset=reviews.csv" in command}
RATE = "dvc exp run -S train.lr=3e-5"
SHORT = READING | {RATE: f"{RATE} evaluate cross_dataset_evaluate"}
"""Experiments end with the stages whose outcome is looked at; test_experiments.py runs one to the end."""
FIRST = "$(git rev-list --max-parents=0 HEAD)"
COMMITTED = {"make figures": f"git checkout --quiet {FIRST} -- metrics plots && make figures"}
"""The documents are filled with the figures of all datasets that they name, of which a shrunken project has one."""


def prepared(project: Project) -> None:
    """Let make take the environment that runs the tests, and put a reader's own files where the documents do."""
    environment = project.folder / ".venv"
    (environment / "bin").mkdir(parents=True, exist_ok=True)
    (environment / "bin/activate").touch()
    for stamp in ("run", "app", "scale", "test"):
        (environment / f"{stamp}.stamp").touch()
    films = pd.read_parquet(project.folder / "data/sample_reviews.parquet").head(300)
    films[["text", "label"]].to_csv(project.folder / "reviews.csv", index=False)


def own(project: Project, *, stars: bool) -> None:
    table = pd.read_csv(project.folder / "reviews.csv")
    if stars:
        table["stars"] = [1, 2, 3, 4, 5] * (len(table) // 5)
    table.to_csv(project.folder / "own/reviews.csv", index=False)


def restore(project: Project) -> None:
    project.run("git", "reset", "--quiet", "--hard")
    project.dvc("checkout", "--force")


@pytest.mark.slow
def test_every_command_of_the_documents_that_can_be_typed_here_succeeds(project: Project, tmp_path: Path) -> None:
    prepared(project)
    experiment = ""
    try:
        for command in RUN:
            if command in READING:
                own(project, stars="stars" in command)
            typed = (
                (SHORT | COMMITTED).get(command, command).replace("A=main", "A=HEAD").replace("FOLDER", str(tmp_path))
            )
            for placeholder in ("NAME", "my-experiment"):
                typed = typed.replace(placeholder, experiment)
            output = project.run("bash", "-c", typed).stdout
            if command == RATE:
                (experiment,) = project.dvc("exp", "list", "--name-only").split()[:1]
            if command == "dvc metrics diff":
                assert "metrics/evaluate.json" in output
            if command == "dvc params diff":
                assert "train.lr" in output
            if command.startswith("python -m sentiment.predict"):
                assert set(pd.read_parquet(project.folder / "scored.parquet").columns) >= {"sentiment", "score"}
            if command in {*READING, *COMMITTED, "dvc exp apply NAME"}:
                restore(project)
    finally:
        restore(project)
        project.run("git", "clean", "--quiet", "--force", "-d")
        (project.folder / ".dvc/config.local").unlink(missing_ok=True)
        shutil.rmtree(project.folder / ".venv")
    assert list(tmp_path.iterdir()), "dvc push left nothing in the remote"
