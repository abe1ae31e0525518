"""A shrunken copy of this project, in a git repository of its own, for tests that run the real dvc.yaml."""

import os
import shutil
from collections.abc import Callable

import pytest
from filelock import FileLock

from tests.project import Project, shrunken


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Return a maker of fresh, shrunken, committed copies of this project's files, as they are in the work tree."""
    return lambda: shrunken(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a shrunken copy in which the pipeline has run once and everything is committed.

    The workers of a test run wait for one of them to make it; each then changes a copy of its own.
    """
    own = tmp_path_factory.mktemp("project")
    shared = (own.parents[1] if "PYTEST_XDIST_WORKER" in os.environ else own.parent) / "run_once"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            made = shrunken(tmp_path_factory.mktemp("made"))
            made.dvc("repro")
            made.commit("first run")
            made.folder.rename(shared)
    shutil.copytree(shared, own, symlinks=True, dirs_exist_ok=True)
    return Project(own)
