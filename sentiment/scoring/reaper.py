"""End the processes of Ray that are left when the command that started them is gone, however it ended.

Ray's own end with it but for two agents, which try for a minute to report that. Standard input has a line for each
process, its id and when it was started, and ends with the command.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def reaping() -> Iterator[None]:
    """Watch over all processes that this one has started so far, until the block ends."""
    started = psutil.Process().children(recursive=True)
    # In a session of its own, it does not get the Ctrl-C that the command gets.
    watching = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, text=True, start_new_session=True)
    assert watching.stdin
    for process in started:
        with suppress(psutil.NoSuchProcess):
            watching.stdin.write(f"{process.pid} {process.create_time()}\n")
    watching.stdin.flush()
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


def main() -> None:
    for line in sys.stdin.read().splitlines():
        pid, created = line.split()
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(pid))
            # Its number may be another's by now.
            if process.create_time() == float(created):
                process.kill()


if __name__ == "__main__":
    main()
