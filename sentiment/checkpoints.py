"""Checkpoints of unfinished trainings: where they lie, and which one to continue from."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sentiment.files import sha256


def folder_for(provenance: dict[str, Any], code: Iterable[Path]) -> Path:
    """Return the checkpoint folder of the training that this provenance and these files' contents determine.

    It lies below SENTIMENT_CHECKPOINT_DIR, or ./checkpoints: an absolute folder there lets runs in DVC's temporary
    workspaces be continued.
    """
    key = json.dumps([provenance, {path.name: sha256(path) for path in code}], sort_keys=True)
    root = Path(os.environ.get("SENTIMENT_CHECKPOINT_DIR", "checkpoints"))
    return root / hashlib.sha256(key.encode()).hexdigest()[:16]


def newest_complete(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end, and remove the ones that were not."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for checkpoint in reversed(found):
        if _is_complete(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _is_complete(checkpoint: Path) -> bool:
    """Say whether trainer_state.json, which the Trainer writes last, is there and whole."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
