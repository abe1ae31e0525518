"""Caches and temporary files in places of the user's choice, as a university's scratch space."""

import shutil
from pathlib import Path

import pytest

from tests.pipeline.test_typed_commands import prepared
from tests.project import Project

WEIGHTS = "models/sentiment/model.safetensors"


@pytest.mark.slow
def test_a_cache_in_another_place_has_the_outputs_once_and_stages_write_beside_it(
    project: Project, tmp_path: Path
) -> None:
    prepared(project)
    cache = tmp_path / "my scratch/dvc"
    shutil.move(project.folder / ".dvc/cache", cache)
    for folder in ("data/subsampled", "models/sentiment"):
        shutil.rmtree(project.folder / folder)

    project.run("make", "run", f"DVC_CACHE={cache}")
    project.dvc("config", "--local", "cache.shared", "group")
    project.dvc("repro", "--force", "--single-item", "subsample")
    project.dvc("checkout", "--relink")
    cached = {file.stat().st_ino for file in cache.rglob("*")}
    assert {(project.folder / name).stat().st_ino for name in (WEIGHTS, "data/subsampled/train.parquet")} <= cached
    assert project.dvc("status") == "Data and pipelines are up to date.\n"
    assert not (project.folder / ".dvc/cache").exists()
