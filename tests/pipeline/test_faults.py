"""What goes wrong on a machine ends in the right result or in one sentence, never in a wrong result."""

import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sentiment.core.schemas import read_yaml
from tests.project import Project

pytestmark = pytest.mark.slow

STAGE = re.compile(r"^Running stage '([^']+)'", re.MULTILINE)
# Without these capabilities a superuser, as whom CI may run, is held to a file's permissions as everybody is.
AS_ANYBODY = """
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
SMALL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def cached(project: Project, path: str) -> Path:
    """Return the file of DVC's cache that holds an output, which may be one file of an output that is a folder."""
    outs = {
        out["path"]: out for stage in read_yaml(project.folder / "dvc.lock")["stages"].values() for out in stage["outs"]
    }
    cache = project.folder / ".dvc/cache/files/md5"
    if path in outs:
        md5 = outs[path]["md5"]
    else:
        folder, _, name = path.rpartition("/")
        listing = outs[folder]["md5"]
        entries = json.loads((cache / listing[:2] / listing[2:]).read_text(encoding="utf-8"))
        md5 = next(entry["md5"] for entry in entries if entry["relpath"] == name)
    return cache / md5[:2] / md5[2:]


def flip(path: Path, place: int) -> None:
    """Flip a bit of a file, writable or not."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    path.chmod(mode)


def refusal(project: Project, *command: str) -> str:
    """Run a command that must fail with one line, and return it."""
    done = project.run(*command, check=False)
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stdout
    assert len(lines) == 1, done.stdout
    return lines[0]


@pytest.fixture(autouse=True)
def _ends_as_it_began(project: Project) -> object:
    lock = project.read("dvc.lock")
    yield
    assert not STAGE.findall(project.dvc("repro"))
    assert project.read("dvc.lock") == lock
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_a_damaged_entry_of_the_cache_is_noticed_removed_and_made_anew(project: Project) -> None:
    path = "data/tokenized/validation.parquet"
    groups = pq.read_metadata(project.folder / path).row_group(0)
    flip(cached(project, path), groups.column(groups.num_columns - 2).data_page_offset + 40)
    (project.folder / path).unlink()
    project.dvc("checkout", "data/tokenized")

    line = refusal(project, "python", "-m", "stages.train")
    assert line.startswith(f"train: error: {path} is not a whole parquet file (truncated, or another format): ")
    assert "make cache looks for damage" in line

    output = project.run("python", "-m", "sentiment.verify_cache").stdout
    assert "1 damaged files; dvc repro makes them anew" in output
    (project.folder / path).unlink()
    assert "tokenize" in STAGE.findall(project.dvc("repro"))
    assert "no damaged file" in project.run("python", "-m", "sentiment.verify_cache").stdout


def test_truncated_flipped_and_deleted_outputs_are_brought_back_from_the_cache(project: Project) -> None:
    truncated = project.folder / "data/subsampled/train.parquet"
    whole = truncated.read_bytes()
    truncated.write_bytes(whole[: len(whole) // 2])
    flip(project.folder / "models/sentiment/model.safetensors", -100)
    shutil.rmtree(project.folder / "data/tokenized")

    assert not STAGE.findall(project.dvc("repro"))
    assert truncated.read_bytes() == whole


def test_a_stage_does_not_use_a_model_with_a_flipped_bit(project: Project) -> None:
    flip(project.folder / "models/sentiment/model.safetensors", -100)

    line = refusal(project, "python", "-m", "stages.behaviour")
    assert "models/sentiment/model.safetensors is not what train wrote, it was changed or damaged" in line

    flip(project.folder / "models/pretrained/model.safetensors", -100)
    line = refusal(project, "python", "-m", "stages.train")
    assert "models/pretrained/model.safetensors is not what download wrote, it was changed or damaged" in line


def test_a_folder_or_file_without_permission_is_named(project: Project) -> None:
    folder, file = project.folder / "metrics", project.folder / "data/raw/train.parquet"
    for path, mode in ((folder, 0o555), (file, 0o000)):
        before = path.stat().st_mode
        path.chmod(mode)
        line = refusal(project, "python", "-c", AS_ANYBODY, "-m", "stages.subsample")
        path.chmod(before)
        assert "Permission denied" in line
        assert path.name in line
        assert "correct the permissions, then run the same command again" in line


def test_a_full_disk_is_named_and_leaves_the_old_output(project: Project) -> None:
    before = (project.folder / "data/subsampled/train.parquet").read_bytes()

    line = refusal(project, "python", "-c", SMALL_DISK, "-m", "stages.subsample")

    assert "File too large; free space" in line
    assert (project.folder / "data/subsampled/train.parquet").read_bytes() == before
    assert not list(project.folder.glob("data/*.tmp"))


@pytest.mark.parametrize("year", [1980, 2100])
def test_a_clock_that_was_set_changes_nothing(project: Project, year: int) -> None:
    seconds = (year - 1970) * 31_556_952
    for path in project.folder.rglob("*"):
        if path.is_file() and not {".git", ".dvc"} & set(path.relative_to(project.folder).parts):
            os.utime(path, (seconds, seconds))

    assert not STAGE.findall(project.dvc("repro"))


def test_of_two_runs_at_once_one_works_and_the_other_waits_or_says_why_not(project: Project) -> None:
    for out in ("data/subsampled", "data/tokenized", "data/predictions"):
        shutil.rmtree(project.folder / out)
    processes = [
        project.start("dvc", "repro", "--force", "tokenize"),
        project.start("dvc", "repro", "--force", "tokenize"),
    ]
    outputs = [process.communicate()[0] for process in processes]

    assert 0 in [process.returncode for process in processes], outputs
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0 or re.search("lock|is busy", output), output
        assert "Traceback" not in output


def test_the_lock_of_a_killed_run_stops_nobody(project: Project) -> None:
    process = project.start("dvc", "repro", "--force", "subsample")
    rwlock = project.folder / ".dvc/tmp/rwlock"
    while process.poll() is None and not (rwlock.exists() and "subsample" in rwlock.read_text(encoding="utf-8")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert "subsample" in rwlock.read_text(encoding="utf-8")

    project.dvc("repro")


def test_an_experiment_in_a_temporary_workspace_is_continued_from_the_folder_that_is_named(
    project: Project, tmp_path: Path
) -> None:
    arguments = ("dvc", "exp", "run", "--temp", "--name", "killed", "--set-param", "train.lr=6e-5", "train")
    process = project.start(*arguments, SENTIMENT_CHECKPOINT_DIR=str(tmp_path))
    while process.poll() is None and not list(tmp_path.glob("*/checkpoint-*/average.safetensors")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    output = project.run(*arguments, SENTIMENT_CHECKPOINT_DIR=str(tmp_path)).stdout
    assert "continuing from" in output
    assert list(tmp_path.iterdir()) == []


def push_and_pull(project: Project, folder: Path, url: str, cut: Callable[[], None] | None = None) -> Project:
    """Push to a remote, pull into a second clone, and return it."""
    project.dvc("remote", "add", "--local", "--force", "--default", "storage", url)
    if cut:
        cut()
    project.dvc("push")
    clone = Project(folder / "clone")
    project.run("git", "clone", "--quiet", ".", str(clone.folder))
    clone.dvc("remote", "add", "--local", "--default", "storage", url)
    clone.dvc("pull")
    return clone


def test_a_second_clone_pulls_everything_from_a_remote_and_reproduces_nothing(project: Project, tmp_path: Path) -> None:
    clone = push_and_pull(project, tmp_path, str(tmp_path / "storage"))

    assert not STAGE.findall(clone.dvc("repro"))
    assert clone.read("dvc.lock") == project.read("dvc.lock")
    model = "models/sentiment/model.safetensors"
    assert (clone.folder / model).read_bytes() == (project.folder / model).read_bytes()
    project.dvc("remote", "remove", "--local", "storage")


def test_the_python_that_runs_the_tests_runs_the_stages(project: Project) -> None:
    shown = project.run("python", "-c", "import sys; print(sys.prefix)").stdout.strip()
    assert shown == sys.prefix
