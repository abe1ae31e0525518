"""Several processes: how they are started, signalled and explained. Those here do not load torch."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentiment.core import launching

ROOT = Path(__file__).parents[3]

WORK = """
import os, signal, sys, time
from pathlib import Path
from sentiment.core import launching, processes
from sentiment.core.command import run
from sentiment.core.errors import UserError

def main():
    if "WORLD_SIZE" not in os.environ:
        launching.GRACE = float(os.environ.get("GRACE", launching.GRACE))
        return launching._run(2, "work")
    rank = processes.rank()
    Path(f"pid-{rank}").write_text(str(os.getpid()))
    print("hello from", rank)
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start two processes that do, after their greeting, what a piece of code says."""

    def begin(work: str) -> subprocess.Popen[str]:
        lines = "".join(f"    {line}\n" for line in work.splitlines())
        (tmp_path / "work.py").write_text(
            f'{WORK}{lines}\nif __name__ == "__main__":\n    run(main, "work", several=True)\n'
        )
        inherited = {name: value for name, value in os.environ.items() if name not in {"WORLD_SIZE", "RANK"}}
        return subprocess.Popen(
            [sys.executable, "-m", "work"],
            cwd=tmp_path,
            env=inherited | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return begin


def pids(folder: Path) -> list[int]:
    """Wait until both have greeted, and return their process ids."""
    files = [folder / f"pid-{rank}" for rank in range(2)]
    while not all(file.exists() and file.read_text() for file in files):
        time.sleep(0.01)
    return [int(file.read_text()) for file in files]


def are_gone(found: list[int]) -> bool:
    """Say whether none of the processes is left within seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() for pid in found):
            return True
        time.sleep(0.05)
    return False


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors.lstrip("\n")


Start = Callable[[str], "subprocess.Popen[str]"]


def test_the_main_process_speaks_and_the_command_ends_once(start: Start, tmp_path: Path) -> None:
    code, output, errors = outcome(start("print(sys.argv[0] and 'and on', file=sys.stderr)"))
    assert (code, output) == (0, "hello from 0\n")
    assert re.fullmatch(r"and on\nwork: done in \d+\.\d s\n", errors)
    assert len((tmp_path / "logs/timings.jsonl").read_text().splitlines()) == 1
    assert not list(tmp_path.glob("sentiment-*"))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_mistake_is_said_once_whichever_process_finds_it_and_whatever_becomes_of_the_other(
    start: Start, rank: int
) -> None:
    code, _, errors = outcome(
        start(f"if rank == {rank}: raise UserError('too large')\nraise RuntimeError('closed by peer')")
    )
    assert (code, errors) == (1, "work: error: too large\n")


def test_a_defect_keeps_its_traceback(start: Start) -> None:
    code, _, errors = outcome(start("if rank: raise ZeroDivisionError('ours')"))
    assert code == 1
    assert errors.startswith("Traceback (most recent call last):")
    assert errors.endswith("ZeroDivisionError: ours\n")


WAIT = "time.sleep(600)"
NOTICE = """
other = Path(f"pid-{1 - rank}")
while not (other.exists() and other.read_text()):
    time.sleep(0.05)
while Path("/proc", other.read_text()).exists():
    time.sleep(0.1)
raise RuntimeError("Connection closed by peer")
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_is_named_and_the_others_end(start: Start, tmp_path: Path, rank: int) -> None:
    process = start(NOTICE)
    both = pids(tmp_path)
    os.kill(both[rank], signal.SIGKILL)
    code, _, errors = outcome(process)
    assert code == 1
    assert errors == (
        f"work: error: process {rank + 1} of 2 was ended by SIGKILL, sent by a person or, where memory was short, by "
        "the system: the same command continues from the newest checkpoint, if there was one already\n"
    )
    assert are_gone(both)


def test_processes_that_do_not_notice_are_ended_after_a_while(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRACE", "0.5")
    process = start(WAIT)
    both = pids(tmp_path)
    os.kill(both[0], signal.SIGKILL)
    assert outcome(process)[2].startswith("work: error: process 1 of 2 was ended by SIGKILL")
    assert are_gone(both)


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_passed_on_and_what_comes_next_is_said_once(
    start: Start, tmp_path: Path, sign: signal.Signals, code: int
) -> None:
    process = start(WAIT)
    both = pids(tmp_path)
    time.sleep(0.2)
    process.send_signal(sign)
    assert outcome(process) == (
        code,
        "hello from 0\n",
        "work: interrupted; the same command again starts over or continues\n",
    )
    assert are_gone(both)


def test_a_process_that_is_told_to_stop_says_so_through_the_command(start: Start, tmp_path: Path) -> None:
    process = start(NOTICE)
    both = pids(tmp_path)
    time.sleep(0.2)
    os.kill(both[1], signal.SIGTERM)
    code, _, errors = outcome(process)
    assert (code, errors) == (143, "work: interrupted; the same command again starts over or continues\n")


def test_where_the_command_is_killed_its_processes_end(start: Start, tmp_path: Path) -> None:
    process = start(WAIT)
    both = pids(tmp_path)
    process.kill()
    process.communicate()
    assert are_gone(both)
    assert not list(tmp_path.glob("sentiment-*"))


def test_a_signal_while_processes_are_started_stops_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[bytes]] = []

    def begin(*_: object) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        if len(begun) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return begun[-1]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "_begin", begin)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            launching._run(2, "work")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [worker.poll() is None for worker in begun] == [False, False]
