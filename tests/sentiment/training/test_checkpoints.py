import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sentiment.core.errors import UserError
from sentiment.training.checkpoints import KEPT, discard, folder_for, locked, newest_complete

ROOT = Path(__file__).parents[3]
PROVENANCE = {"parameters": {"seed": 1, "train": {"lr": 1e-4}}, "inputs": {"a.parquet": "0" * 64}}


@pytest.fixture
def code(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("one.py", "two.py")]
    for path in paths:
        path.write_text(path.name)
    return paths


def checkpoint(folder: Path, step: int, state: str | None = '{"global_step": 1}') -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").touch()
    (path / "average.safetensors").touch()
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_the_same_training_has_the_same_folder(code: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTIMENT_CHECKPOINT_DIR", raising=False)
    folder = folder_for(PROVENANCE, code, code[0].parent)
    assert re.fullmatch(r"checkpoints/[0-9a-f]{16}", folder.as_posix())
    reordered = dict(reversed(json.loads(json.dumps(PROVENANCE)).items()))
    assert folder_for(reordered, reversed(code), code[0].parent) == folder


def test_a_change_of_parameters_data_or_code_has_another_folder(code: list[Path]) -> None:
    folders = {folder_for(PROVENANCE, code, code[0].parent), folder_for(PROVENANCE, code[:1], code[0].parent)}
    folders.add(folder_for(PROVENANCE | {"parameters": {"seed": 2, "train": {"lr": 1e-4}}}, code, code[0].parent))
    folders.add(folder_for(PROVENANCE | {"inputs": {"a.parquet": "1" * 64}}, code, code[0].parent))
    code[0].write_text("changed")
    folders.add(folder_for(PROVENANCE, code, code[0].parent))
    assert len(folders) == 5


def test_files_of_one_name_in_two_folders_both_count(tmp_path: Path) -> None:
    code = [tmp_path / folder / "__init__.py" for folder in ("one", "two")]
    for path in code:
        path.parent.mkdir()
        path.write_text("the same")
    folders = {folder_for(PROVENANCE, code, tmp_path)}
    for path in code:
        path.write_text("changed")
        folders.add(folder_for(PROVENANCE, code, tmp_path))
        path.write_text("the same")
    assert len(folders) == 3


def test_a_checkout_in_another_place_has_the_same_folder(tmp_path: Path) -> None:
    found = set()
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "one.py").write_text("code")
        found.add(folder_for(PROVENANCE, [tmp_path / place / "one.py"], tmp_path / place))
    assert len(found) == 1


def test_the_environment_can_put_the_folders_elsewhere(
    code: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTIMENT_CHECKPOINT_DIR", str(tmp_path / "kept"))
    assert folder_for(PROVENANCE, code, code[0].parent).parent == tmp_path / "kept"


def test_without_a_checkpoint_there_is_nothing_to_continue_from(tmp_path: Path) -> None:
    assert newest_complete(tmp_path / "nowhere") is None
    assert newest_complete(tmp_path) is None


def test_the_newest_is_that_of_the_highest_step(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        checkpoint(tmp_path, step)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-100"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("state", [None, "", '{"global_step": 1', "\0" * 10])
def test_an_incomplete_newest_is_discarded_and_the_older_used(tmp_path: Path, state: str | None) -> None:
    older = checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 20, state)
    checkpoint(tmp_path, 30, state)
    assert newest_complete(tmp_path) == older
    assert list(tmp_path.iterdir()) == [older]


def test_if_none_is_complete_all_are_discarded(tmp_path: Path) -> None:
    checkpoint(tmp_path, 10, None)
    assert newest_complete(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def unfinished(root: Path, number: int) -> Path:
    """Return the folder of a training that was killed, the older the lower its number."""
    folder = root / f"{number:016x}"
    checkpoint(folder, 1)
    (folder / "lock").touch()
    os.utime(folder, (1000 + number, 1000 + number))
    return folder


def test_of_other_trainings_the_newest_stay(tmp_path: Path) -> None:
    own, *others = [unfinished(tmp_path, number) for number in range(KEPT + 3)]
    with locked(own):
        assert newest_complete(own)
    assert sorted(tmp_path.iterdir()) == [own, *others[2:]]


def test_a_folder_that_is_in_use_or_none_of_a_training_stays(tmp_path: Path) -> None:
    foreign = [tmp_path / "notes", tmp_path / ("f" * 16)]
    (foreign[0] / "lock").mkdir(parents=True)
    foreign[1].mkdir()
    running, stale, *others = [unfinished(tmp_path, number) for number in range(KEPT + 3)]
    with locked(running):
        os.utime(running, (1000, 1000))
        with locked(others[0]):
            pass
    assert sorted(tmp_path.iterdir()) == sorted([*foreign, running, *others])
    assert not stale.exists()


CLAIM = """
import sys
from pathlib import Path
from sentiment.training.checkpoints import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_training_that_runs_already_is_refused_and_one_that_was_killed_is_not(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 16)
    other = subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert other.stdout is not None
    other.stdout.readline()
    with (
        pytest.raises(UserError, match=r"^another process runs this very training, its checkpoints are in "),
        locked(folder),
    ):
        pass
    other.kill()
    other.communicate()
    with locked(folder):
        pass


def test_the_folder_of_an_ended_training_goes_unless_another_process_trains_there(tmp_path: Path) -> None:
    ended, running = (unfinished(tmp_path, number) for number in range(2))
    (ended / "train.arrow").touch()
    with locked(running):
        discard(running)
        assert newest_complete(running)
    discard(ended)
    assert list(tmp_path.iterdir()) == [running]
