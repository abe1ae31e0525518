"""What Windows does to a process, as far as Linux can: every Python starts with it that has this folder on PYTHONPATH.

No file can be removed, renamed or replaced while this process has it open or mapped into memory, nor a folder above
one. There is no SIGHUP, and event loops handle no signals.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _in_use() -> set[Path]:
    """Return the files that this process has open or mapped."""
    mapped = {line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()}
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {path for path in [*map(Path, mapped), *(link.readlink() for link in links)] if not path.is_dir()}


def _guarded(function: Callable[..., None], count: int) -> Callable[..., None]:
    """Return the function, whose first arguments are `count` paths, for files that nobody uses."""

    def guarded(*paths: Any, dir_fd: int | None = None, **options: Any) -> None:
        folder = Path.cwd() if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink()
        used = _in_use()
        for path in paths[:count]:
            place = folder.resolve() / os.fsdecode(path)
            if any(file.is_relative_to(place) for file in used):
                raise PermissionError(13, "The process cannot access the file because it is being used", str(path))
        function(*paths, **({} if dir_fd is None else {"dir_fd": dir_fd}), **options)

    return guarded


def _no_signal_handler(*_: Any) -> None:
    raise NotImplementedError


for name, count in (("unlink", 1), ("remove", 1), ("rename", 2), ("replace", 2)):
    setattr(os, name, _guarded(getattr(os, name), count))
del signal.SIGHUP
asyncio.SelectorEventLoop.add_signal_handler = _no_signal_handler
