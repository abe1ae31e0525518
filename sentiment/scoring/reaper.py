"""End the processes of Ray that are left when the command that started them is gone, however it ended.

Ray's own end with it but for two agents, which try for a minute to report that, and workers that were just starting,
which look for the others as long. The arguments name the command and the processes of the beginning, each by its id and
when it was started; later ones are looked for. The last ones are known by their environment, which a worker overwrites
with its title once it has started. Standard input ends with the command.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import psutil

LOOK = 2
"""Seconds between two looks for further processes."""
MARK = "SENTIMENT_STARTED_BY"
"""What names the command in the environment of all that it starts."""


def name(process: psutil.Process) -> str:
    return f"{process.pid}:{process.create_time()}"


def mark() -> None:
    """Let all processes that this one starts from now on be known by their environment."""
    os.environ[MARK] = name(psutil.Process())


@contextmanager
def reaping() -> Iterator[None]:
    """Watch over all processes that this one has started and will start, until the block ends."""
    own = psutil.Process()
    watched = [own, *own.children(recursive=True)]
    names = []
    for process in watched:
        with suppress(psutil.NoSuchProcess):
            names.append(name(process))
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


def named(wanted: str) -> psutil.Process:
    """Return the process of a name; raise NoSuchProcess where its number is another's by now."""
    process = psutil.Process(int(wanted.partition(":")[0]))
    if name(process) != wanted:
        raise psutil.NoSuchProcess(process.pid)
    return process


def marked(command: str) -> set[psutil.Process]:
    """Return the processes whose environment still names the command that started them."""
    found = set()
    for process in psutil.process_iter():
        # Others' processes keep their environment to themselves.
        with suppress(psutil.Error):
            if process.environ().get(MARK) == command:
                found.add(process)
    return found


def _wait_for_the_end(ended: Event) -> None:
    sys.stdin.read()
    ended.set()


def main() -> None:
    command, *rest = sys.argv[1:]
    ended = Event()
    Thread(target=_wait_for_the_end, args=[ended], daemon=True).start()
    started = set()
    for each in rest:
        with suppress(psutil.NoSuchProcess):
            started.add(named(each))
    with suppress(psutil.NoSuchProcess):
        driver = named(command)
        while not ended.wait(LOOK):
            started.update(driver.children(recursive=True))
    ended.wait()
    for process in (started | marked(command)) - {psutil.Process()}:
        with suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    main()
