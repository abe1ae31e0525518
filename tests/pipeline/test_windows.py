"""The pipeline where no open file can be replaced, no encoding is UTF-8 by itself, and names lack some signs."""

import re
import shutil
from pathlib import Path

import pytest

from tests.project import Project
from tests.windows import WINDOWS

FORBIDDEN = re.compile(r'[<>:"\\|?*]|[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)


@pytest.mark.slow
def test_every_stage_runs_as_far_as_linux_can_resemble_windows(project: Project, tmp_path: Path) -> None:
    own = Project(shutil.copytree(project.folder, tmp_path / "project", symlinks=True))
    encoding = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    own.run("dvc", "repro", "--force", PYTHONPATH=str(WINDOWS), **encoding)

    assert list((own.folder / "checkpoints").iterdir()) == []
    made = [path for folder in ("data", "models", "metrics", "plots") for path in (own.folder / folder).rglob("*")]
    assert [path for path in made if FORBIDDEN.search(path.name)] == []
