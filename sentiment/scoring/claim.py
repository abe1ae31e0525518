"""One process at a time scores into a directory."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from sentiment.core.errors import UserError
from sentiment.scoring.places import NOTES, TEMPORARY, below, is_remote, read_text, remove, write_text

Check = Callable[[], None]
"""Raises UserError where another process has taken the directory meanwhile."""
BEAT = 5.0
"""Seconds after which the owner of a remote directory says again that it is alive."""
DEAD = 20.0
"""Seconds of silence after which it is taken for dead."""


@contextmanager
def claimed(folder: str) -> Iterator[Check]:
    """Hold a directory of outputs while the block runs; raise UserError where another process holds it.

    Yields what tells whether it is still held: on an object store, one that was silent for too long has lost it.

    A killed process leaves no claim; on an object store, which has no locks, the next one has to wait for its silence.
    """
    lock = below(below(folder, NOTES), "lock")
    with _alive(lock, folder) if is_remote(folder) else _locked(Path(lock), folder) as check:
        yield check


@contextmanager
def _locked(lock: Path, folder: str) -> Iterator[Check]:
    from filelock import FileLock, Timeout

    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock).acquire(timeout=0)
    except Timeout:
        raise _taken(folder) from None
    with held:
        for left in lock.parent.rglob(f"*{TEMPORARY}"):
            left.unlink(missing_ok=True)
        yield lambda: None


@contextmanager
def _alive(lock: str, folder: str) -> Iterator[Check]:
    if before := read_text(lock):
        print(f"{folder} was being scored into: waiting {DEAD:.0f} s to see whether it still is")
        time.sleep(DEAD)
        if read_text(lock) not in {before, None}:
            raise _taken(folder)
    token, over, lost = uuid4().hex, Event(), Event()
    write_text(lock, f"{token} 0")
    # Of two that came at once, the one whose token stays goes on.
    time.sleep(BEAT / 5)
    if not (read_text(lock) or "").startswith(token):
        raise _taken(folder)

    def check() -> None:
        if lost.is_set():
            raise _taken(folder)

    def beat() -> None:
        count = 0
        while not over.wait(BEAT):
            count += 1
            # A network that fails for a moment stops nobody; one that fails for longer, the writing of outputs.
            with suppress(OSError):
                if not (read_text(lock) or token).startswith(token):
                    lost.set()
                    return
                write_text(lock, f"{token} {count}")

    thread = Thread(target=beat, name="claim", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        over.set()
        thread.join()
        if (read_text(lock) or "").startswith(token):
            remove(lock)


def _taken(folder: str) -> UserError:
    return UserError(f"another process scores into {folder}: wait for its end, or name another directory with -o")
