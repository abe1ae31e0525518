"""A training that is killed and started again ends with the bytes of one that was left alone."""

import signal

import pytest

from tests.pipeline.interruption import BEGUN, SAVED, SAVING, STATED, WRITING, contents, interrupt, results
from tests.project import Project

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("moment", [BEGUN, SAVING, STATED, SAVED, WRITING])
def test_a_killed_training_is_continued_to_the_same_bytes(project: Project, moment: str) -> None:
    before = results(project)
    process = interrupt(project, signal.SIGKILL, moment)
    assert process.returncode == -signal.SIGKILL
    whole = list(project.folder.glob(SAVED))

    output = project.run("python", "-m", "stages.train").stdout

    assert ("continuing from" in output) == bool(whole)
    assert results(project) == before
    assert not list(project.folder.glob("checkpoints/*"))


def test_ctrl_c_while_the_model_is_written_leaves_no_half_written_output(project: Project) -> None:
    before = results(project)
    process = interrupt(project, signal.SIGINT, SAVED)

    # What comes after the last checkpoint takes a moment: it may have ended before the signal came.
    assert process.returncode in {0, 128 + signal.SIGINT}
    assert process.stdout is not None
    assert "Traceback" not in process.stdout.read()
    assert contents(project.folder / "models/sentiment").items() <= before.items()

    project.run("python", "-m", "stages.train")
    assert results(project) == before
