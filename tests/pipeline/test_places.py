"""Caches in places of the user's choice, as on a university's scratch space."""

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
    own = Project(shutil.copytree(project.folder, tmp_path / "project", symlinks=True))
    prepared(own)
    cache = tmp_path / "my scratch/dvc"
    cache.parent.mkdir()
    (own.folder / ".dvc/cache").rename(cache)
    for folder in ("data/subsampled", "models/sentiment"):
        shutil.rmtree(own.folder / folder)

    own.run("make", "run", f"DVC_CACHE={cache}")
    own.dvc("repro", "--force", "--single-item", "subsample")
    own.dvc("checkout", "--relink")
    cached = {file.stat().st_ino for file in cache.rglob("*")}
    assert {(own.folder / name).stat().st_ino for name in (WEIGHTS, "data/subsampled/train.parquet")} <= cached
    own.dvc("config", "--local", "cache.shared", "group")
    assert own.dvc("status", "dvc.yaml") == "Data and pipelines are up to date.\n"
    assert not (own.folder / ".dvc/cache").exists()
