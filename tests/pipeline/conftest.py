"""A shrunken copy of this project, in a git repository of its own, for tests that run the real dvc.yaml."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import Project

ROOT = Path(__file__).resolve().parents[2]

SMALL = {
    "threads": 1,
    "cross_datasets": ["books"],
    "subsample.train_size": 200,
    "subsample.test_size": 100,
    "cross_dataset_evaluate.size": 100,
    "tokenize.max_length": 24,
    "train.epochs": 1,
    "train.batch_size": 16,
    # Of so few reviews one alone is a whole point.
    "export.accuracy_change": 5,
    "export.agreement": 0.95,
}


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Return a maker of fresh, shrunken, committed copies of this project's files, as they are in the work tree."""

    def make() -> Project:
        folder = tmp_path_factory.mktemp("project")
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        project = Project(folder)
        project.run("git", "init", "--quiet")
        project.set(SMALL)
        project.commit("shrunken copy")
        return project

    return make


@pytest.fixture(scope="session")
def project(new_project: Callable[[], Project]) -> Project:
    """Return a shrunken copy in which the pipeline has run once and everything is committed."""
    project = new_project()
    project.dvc("repro")
    project.commit("first run")
    return project
