import json
import re
from pathlib import Path

import pytest

from sentiment.checkpoints import folder_for, newest_complete

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
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_the_same_training_has_the_same_folder(code: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENTIMENT_CHECKPOINT_DIR", raising=False)
    folder = folder_for(PROVENANCE, code)
    assert re.fullmatch(r"checkpoints/[0-9a-f]{16}", folder.as_posix())
    reordered = dict(reversed(json.loads(json.dumps(PROVENANCE)).items()))
    assert folder_for(reordered, reversed(code)) == folder


def test_a_change_of_parameters_data_or_code_has_another_folder(code: list[Path]) -> None:
    folders = {folder_for(PROVENANCE, code), folder_for(PROVENANCE, code[:1])}
    folders.add(folder_for(PROVENANCE | {"parameters": {"seed": 2, "train": {"lr": 1e-4}}}, code))
    folders.add(folder_for(PROVENANCE | {"inputs": {"a.parquet": "1" * 64}}, code))
    code[0].write_text("changed")
    folders.add(folder_for(PROVENANCE, code))
    assert len(folders) == 5


def test_the_environment_can_put_the_folders_elsewhere(
    code: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENTIMENT_CHECKPOINT_DIR", str(tmp_path / "kept"))
    assert folder_for(PROVENANCE, code).parent == tmp_path / "kept"


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
