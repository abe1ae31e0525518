"""End the processes of Ray that are left when the command that started them is gone, however it ended.

Ray's own end with it but for two agents, which try for a minute to report that, and workers that were just starting,
which learn of it late on a busy machine. The arguments name the processes of the beginning, each by its id and when it
was started; later ones are looked for. Standard input ends with the command.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psutil

LOOK = 2
"""Seconds between two looks for further processes."""


@contextmanager
def reaping() -> Iterator[None]:
    """Watch over all processes that this one has started and will start, until the block ends."""
    own = psutil.Process()
    watched = [own, *own.children(recursive=True)]
    names = []
    for process in watched:
        with suppress(psutil.NoSuchProcess):
            names.append(f"{process.pid}:{process.create_time()}")
    # In a session of its own, it does not get the Ctrl-C that the command gets.
    watching = subprocess.Popen([sys.executable, __file__, *names], stdin=subprocess.PIPE, start_new_session=True)
    assert watching.stdin
    try:
        yield
    finally:
        watching.stdin.close()
        watching.wait()


def end_children() -> None:
    """Kill all processes that this one has started."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def named(name: str) -> psutil.Process:
    """Return the process of such an id and beginning; raise NoSuchProcess where the number is another's by now."""
    pid, created = name.split(":")
    process = psutil.Process(int(pid))
    if process.create_time() != float(created):
        raise psutil.NoSuchProcess(process.pid)
    return process


def _wait_for_the_end(ended: Event) -> None:
    sys.stdin.read()
    ended.set()


def main() -> None:
    command, *rest = sys.argv[1:]
    ended = Event()
    Thread(target=_wait_for_the_end, args=[ended], daemon=True).start()
    started = set()
    for name in rest:
        with suppress(psutil.NoSuchProcess):
            started.add(named(name))
    with suppress(psutil.NoSuchProcess):
        driver = named(command)
        while not ended.wait(LOOK):
            started.update(driver.children(recursive=True))
    ended.wait()
    for process in started - {psutil.Process()}:
        with suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    main()
