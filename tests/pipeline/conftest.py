"""A shrunken copy of this project, in a git repository of its own, for tests that run the real dvc.yaml."""

from collections.abc import Callable

import pytest

from tests.project import Project, shrunken


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Return a maker of fresh, shrunken, committed copies of this project's files, as they are in the work tree."""
    return lambda: shrunken(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def project(new_project: Callable[[], Project]) -> Project:
    """Return a shrunken copy in which the pipeline has run once and everything is committed."""
    project = new_project()
    project.dvc("repro")
    project.commit("first run")
    return project
