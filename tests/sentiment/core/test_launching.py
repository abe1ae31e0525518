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

from sentiment.core import launching, processes
from sentiment.core.errors import UserError
from sentiment.core.params import Params, load_params

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


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def asked(processes: int | str, device: str = "auto") -> Params:
    params = load_params(ROOT / "params.yaml")
    train = params.train.model_copy(update={"processes": processes})
    return params.model_copy(update={"device": device, "threads": 3, "train": train})


@pytest.fixture
def gpus(environment: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let there be so many GPUs, and return how many processes have been started."""

    def have(number: int) -> list[int]:
        import torch

        started: list[int] = []
        environment.setattr(torch.cuda, "device_count", lambda: number)
        environment.setattr(launching, "_run", lambda processes, _: started.append(processes))
        return started

    return have


@pytest.mark.parametrize(
    ("wanted", "number", "expected"),
    [("auto", 0, []), ("auto", 1, []), ("auto", 2, [2]), (1, 2, []), (2, 2, [2]), (2, 4, [2]), (3, 0, [3])],
)
def test_there_is_a_process_for_each_gpu_or_as_many_as_are_wanted(
    gpus: Callable[[int], list[int]], wanted: int, number: int, expected: list[int]
) -> None:
    started = gpus(number)
    assert launching.start(asked(wanted), "stages.train") == bool(expected)
    assert started == expected
    # One process has one GPU.
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == (None if expected else "0")


def test_more_processes_than_gpus_are_refused(gpus: Callable[[int], list[int]]) -> None:
    gpus(2)
    with pytest.raises(
        UserError, match=r"^params.yaml: train.processes is 3, and the number of GPUs is 2: take auto or 2$"
    ):
        launching.start(asked(3), "stages.train")


def test_processes_that_compute_on_the_cpu_do_not_count_gpus(gpus: Callable[[int], list[int]]) -> None:
    started = gpus(2)
    assert not launching.start(asked("auto", "cpu"), "stages.train")
    assert launching.start(asked(3, "cpu"), "stages.train")
    assert started == [3]


def test_what_a_launcher_has_started_is_joined_where_the_number_is_right(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "2")
    connected: list[tuple[int, bool]] = []
    watched: list[str] = []
    environment.setattr(launching, "connect", lambda threads, *, on_gpu: connected.append((threads, on_gpu)))
    environment.setattr(launching, "watch", watched.append)
    environment.setattr(launching, "_require_meeting", lambda: None)
    assert not launching.start(asked("auto"), "stages.train")
    assert not launching.start(asked(2), "stages.train")
    assert connected == [(3, True), (3, True)]
    assert watched == ["train", "train"]
    with pytest.raises(UserError, match=r"^params.yaml: train.processes is 4, and 2 were started: take auto$"):
        launching.start(asked(4), "stages.train")


def test_another_launcher_starts_them_where_it_is_named_and_the_command_ends_as_it_does(
    environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("WORLD_SIZE", raising=False)
    environment.setenv("SENTIMENT_TRAIN_WITH", "echo 'on all'")
    assert launching.start(asked("auto"), "stages.train")
    assert capfd.readouterr().out == f"on all {sys.executable} -m stages.train\n"

    environment.setenv("SENTIMENT_TRAIN_WITH", "sh -c 'exit 143'")
    with pytest.raises(SystemExit, match="143"):
        launching.start(asked("auto"), "stages.train")


def test_other_commands_are_alone_whatever_a_launcher_says(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "2")
    environment.setenv("RANK", "1")
    processes.alone()
    assert (processes.count(), processes.rank(), os.environ["CUDA_VISIBLE_DEVICES"]) == (1, 0, "0")


def test_of_several_each_has_a_share_that_is_put_together_again(environment: pytest.MonkeyPatch) -> None:
    items, shares = list(range(7)), []
    environment.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        environment.setenv("RANK", str(rank))
        shares.append(processes.share(items))
    assert shares == [[0, 3, 6], [1, 4], [2, 5]]
    environment.setattr(processes, "gather", lambda _: shares)
    assert processes.put_together([]) == items


def test_one_process_does_all_by_itself(environment: pytest.MonkeyPatch) -> None:
    assert processes.share([1, 2]) == processes.put_together([1, 2]) == [1, 2]
    assert processes.gather(3) == [3]
    assert processes.agreed(4) == processes.by_main(lambda: 4) == 4
    with pytest.raises(KeyError):
        processes.by_main(lambda: {}["missing"])


def test_one_process_of_a_launcher_is_alone_with_one_gpu(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "1")
    environment.setenv("RANK", "0")
    assert not launching.start(asked("auto"), "stages.train")
    assert "WORLD_SIZE" not in os.environ
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_launcher_that_does_not_say_where_to_meet_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "2")
    environment.setenv("RANK", "1")
    for name in ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", processes.LAUNCHER):
        environment.delenv(name, raising=False)
    lacking = "LOCAL_RANK, MASTER_ADDR, MASTER_PORT is not set: start them with torchrun, or unset WORLD_SIZE$"
    with pytest.raises(UserError, match=lacking):
        launching.start(asked("auto"), "stages.train")


def test_windows_has_one_process_however_many_gpus(
    gpus: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = gpus(2)
    monkeypatch.setattr(launching, "WINDOWS", True)
    assert not launching.start(asked("auto"), "stages.train")
    with pytest.raises(UserError, match=r"which Windows can't run: take auto or 1$"):
        launching.start(asked(2), "stages.train")
    assert started == []


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
