"""Checkpoints of unfinished trainings: where they lie, who may use them, and which one to resume from.

A training locks its folder while it runs. Of other trainings' folders the KEPT newest stay, so that those can be
resumed, and so does any that is locked, as several experiments may run at once.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sentiment.core import processes
from sentiment.core.errors import UserError
from sentiment.core.files import remove, sha256
from sentiment.core.machines import require_shared
from sentiment.training.averaging import AVERAGE

LOCK = "lock"
KEPT = 3
"""Folders of other, unfinished trainings that stay; each holds two checkpoints, of four times the weights' size."""


def folder_for(provenance: dict[str, Any], code: Iterable[Path], root: Path) -> Path:
    """Return the checkpoint folder of the training that this provenance and the code, files below `root`, determine.

    It lies below SENTIMENT_CHECKPOINT_DIR, or ./checkpoints. An absolute folder there lets experiments resume in DVC's
    temporary workspaces.
    """
    key = json.dumps([provenance, {path.relative_to(root).as_posix(): sha256(path) for path in code}], sort_keys=True)
    root = Path(os.environ.get("SENTIMENT_CHECKPOINT_DIR", "checkpoints"))
    return root / hashlib.sha256(key.encode()).hexdigest()[:16]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder while this training runs, and remove the older ones that no training runs in.

    Raises UserError where another process runs the same training. A killed process leaves no lock.
    """
    try:
        lock = FileLock(folder / LOCK).acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"another process runs this very training, its checkpoints are in {folder}: wait for its end; "
            "its result is then in the cache"
        ) from None
    with lock:
        _prune(folder)
        yield


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Lock the folder for all processes of this training; raises UserError too where they do not share it."""
    with processes.held_by_main(locked(folder)):
        require_shared(folder)
        yield


def _prune(folder: Path) -> None:
    others = [path.parent for path in folder.parent.glob(f"*/{LOCK}") if re.fullmatch("[0-9a-f]{16}", path.parent.name)]
    others = sorted((path for path in others if path != folder), key=lambda path: path.stat().st_mtime)
    for other in others[:-KEPT]:
        discard(other)


def discard(folder: Path) -> None:
    """Remove the folder of a training that has ended or was given up, unless one runs in it."""
    try:
        with FileLock(folder / LOCK).acquire(timeout=0):
            for path in folder.iterdir():
                if path.name != LOCK:
                    remove(path)
    except Timeout:
        return
    # Windows removes no file that is open, as the lock was. Another process that has just taken it keeps the folder.
    with suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()


def newest_complete(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end, and remove the ones that were not."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for checkpoint in reversed(found):
        if _is_complete(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _is_complete(checkpoint: Path) -> bool:
    """Say whether the Trainer's state, the last that it writes, is whole, and the average that follows it is there."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return (checkpoint / AVERAGE).is_file()
