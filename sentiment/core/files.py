"""Files that are whole or absent, and JSON whose bytes depend on its content alone."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentiment.core.errors import UserError

OWN = Path("own")
"""Where people put tables, models and tokenizers of their own."""


def remove(path: Path) -> None:
    """Remove a file or link, or a folder with all that is in it, whether or not it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it becomes `path`, on failure it vanishes.

    Works for a file and for a folder. What an earlier, killed run left under the temporary name is removed first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    remove(temporary)
    try:
        yield temporary
        if path.is_dir() and temporary.exists():
            remove(path)
        temporary.replace(path)
    except BaseException:
        remove(temporary)
        raise


def round_floats(value: Any, digits: int = 6) -> Any:
    """Round every float in nested dicts and lists; digits beyond these may differ between machines."""
    if isinstance(value, dict):
        return {key: round_floats(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [round_floats(item, digits) for item in value]
    return round(value, digits) if isinstance(value, float) else value


def write_json(path: Path | str, content: Any) -> None:
    """Write sorted, indented JSON with rounded floats; raise ValueError for NaN or infinity, which JSON lacks."""
    text = json.dumps(round_floats(content), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def require_intact(folder: Path, hashes: Mapping[str, str], maker: str) -> None:
    """Raise UserError unless the folder's files have these sha256, as the stage `maker` wrote them."""
    for name, expected in hashes.items():
        if sha256(folder / name) != expected:
            raise UserError(
                f"{folder / name} is not what {maker} wrote, it was changed or damaged: remove {folder} and run "
                "dvc repro; if that brings it back, make cache removes what is damaged in DVC's cache"
            )


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return (
        sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size
    )


def sha256(path: Path | str) -> str:
    """Return a file's sha256 as 64 hex digits; a folder's is that of its files' names and sha256."""
    if Path(path).is_dir():
        files = [file for file in Path(path).rglob("*") if file.is_file()]
        # Windows' paths would be in an order without case.
        files.sort(key=lambda file: file.parts)
        listed = "".join(f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
        return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
