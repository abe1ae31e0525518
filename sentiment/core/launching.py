"""Starting several processes that train one model together on this machine, and telling how they end."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn

from sentiment.core.errors import UserError
from sentiment.core.machines import watch
from sentiment.core.params import Params
from sentiment.core.processes import FOREIGN, LAUNCHER, LOOKS, MEETING, WORDS, alone, connect, count

Worker = subprocess.Popen[bytes]
WINDOWS = sys.platform == "win32"
"""Its processes can't be sent the signals that stop a training, and torch has no exchange between its GPUs."""
GRACE = 10
"""Seconds that the others have to end by themselves once one has failed: they notice, as it no longer answers them."""


def start(params: Params, module: str) -> bool:
    """Run a module in the processes that are wanted, to its end, and return whether that was to be done here.

    It was not where this process is all that is wanted, or where a launcher has started it as one of several, which
    then are connected: it has to do the work itself. SENTIMENT_START_WITH is the command of a launcher that is to start
    them in place of this one. Raises UserError where there are fewer GPUs, on Windows, or where a launcher has started
    another number of processes or does not tell them how to meet.
    """
    wanted, on_gpu = params.train.processes, params.device in {"auto", "cuda"}
    if "WORLD_SIZE" in os.environ:
        if wanted not in {"auto", count()}:
            raise UserError(f"params.yaml: train.processes is {wanted}, and {count()} were started: take auto")
        if count() == 1:
            alone()
            return False
        _require_meeting()
        connect(params.threads, on_gpu=on_gpu)
        if LAUNCHER not in os.environ:
            watch(module.rpartition(".")[2])
        return False
    if launcher := os.environ.get(FOREIGN):
        _run_with(shlex.split(launcher), module)
        return True
    processes = 1
    if wanted != 1:
        import torch

        gpus = torch.cuda.device_count() if on_gpu else int(params.device == "mps")
        processes = (1 if WINDOWS else max(1, gpus)) if wanted == "auto" else wanted
        if WINDOWS and processes > 1:
            raise UserError("params.yaml: train.processes is more than 1, which Windows can't run: take auto or 1")
        if gpus and processes > gpus:
            raise UserError(
                f"params.yaml: train.processes is {wanted}, and the number of GPUs is {gpus}: take auto or {gpus}"
            )
    if processes == 1:
        alone()
        return False
    _run(processes, module)
    return True


def _require_meeting() -> None:
    """Raise UserError where the launcher has not told this process who it is and where the others are."""
    names = ["RANK", "LOCAL_RANK", *([MEETING] if LAUNCHER in os.environ else ["MASTER_ADDR", "MASTER_PORT"])]
    if lacking := [name for name in names if name not in os.environ]:
        raise UserError(
            f"WORLD_SIZE is {count()}, so this is one of several processes, but {', '.join(lacking)} is not set: start "
            "them with torchrun, or unset WORLD_SIZE"
        )


def _run(processes: int, module: str) -> None:
    """Run a module in so many processes on this machine, pass signals on to them, and end as they end."""
    workers: list[Worker] = []
    with (
        TemporaryDirectory(prefix="sentiment-", ignore_cleanup_errors=True) as meeting,
        _passing_signals_on(workers) as received,
    ):
        workers.extend(_begin(own, processes, module, meeting) for own in range(processes))
        # One that was just being started may not have heard of an early signal, and there is nothing to save yet.
        failed = [0] if received else _wait(workers)
        if failed and not received:
            _explain(workers, failed, Path(meeting))
    if failed:
        signal.raise_signal(received[0])


def _run_with(launcher: Sequence[str], module: str) -> None:
    """Let a launcher run a module, and end as it ends; its processes speak for themselves.

    To stop, it gets a signal that srun passes on to all processes; at SIGTERM it would kill them.
    """
    workers: list[Worker] = []
    with _passing_signals_on(workers, getattr(signal, "SIGUSR1", None)) as received:
        workers.append(_apart([*launcher, sys.executable, "-m", module], os.environ))
        code = 128 + received[0] if received else workers[0].wait()
    if code:
        sys.exit(code if code > 0 else 128 - code)


@contextmanager
def _passing_signals_on(workers: Sequence[Worker], instead: int | None = None) -> Iterator[list[int]]:
    """Pass signals on to processes for a while, and kill those that are left at its end; yield what was received.

    `instead` is the signal to send whatever was received.
    """
    received: list[int] = []

    def pass_on(sign: int, _frame: FrameType | None) -> None:
        received.append(sign)
        for worker in workers:
            worker.send_signal(instead or sign)

    handlers = {sign: signal.signal(sign, pass_on) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        for sign, handler in handlers.items():
            signal.signal(sign, handler)


def _apart(command: Sequence[str], environment: Mapping[str, str]) -> Worker:
    """Start a process, in a session of its own, or Ctrl-C would reach it twice: from the terminal and from here."""
    return subprocess.Popen(command, env=environment, start_new_session=True)


def _begin(own: int, processes: int, module: str, meeting: str) -> Worker:
    """Start one of the processes."""
    names: dict[str, object] = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "RANK": own, "LOCAL_RANK": own}
    names |= {LAUNCHER: os.getpid(), MEETING: meeting}
    environment = os.environ | _loopback() | {name: str(value) for name, value in names.items()}
    return _apart([sys.executable, "-m", module], environment)


def _loopback() -> dict[str, str]:
    """Return what keeps the processes' conversation within this machine, where the system has a name for that."""
    names = {name for _, name in socket.if_nameindex()} if hasattr(socket, "if_nameindex") else set()
    loopback = names & {"lo", "lo0"}
    return {"GLOO_SOCKET_IFNAME": loopback.pop()} if loopback else {}


def _wait(workers: Sequence[Worker]) -> list[int]:
    """Wait until all have ended, but not long once one has failed; return which have failed first."""
    while _running(workers) and not any(worker.returncode for worker in workers):
        time.sleep(LOOKS)
    failed = [own for own, worker in enumerate(workers) if worker.returncode]
    deadline = time.monotonic() + GRACE
    while _running(workers) and time.monotonic() < deadline:
        time.sleep(LOOKS)
    return failed


def _running(workers: Sequence[Worker]) -> int:
    """Look at all of them, and return how many have not ended."""
    return sum([worker.poll() is None for worker in workers])


def _explain(workers: Sequence[Worker], failed: Sequence[int], meeting: Path) -> NoReturn:
    """Tell the reader why the processes have failed, in the words of the one that knows, and exit as it did."""
    words = {own: (meeting / f"{WORDS}{own}") for own in range(len(workers))}
    said = {own: file.read_text(encoding="utf-8") for own, file in words.items() if file.exists()}
    sys.stderr.write("\n")  # the progress bar may have no end
    # What the others have found is that one no longer answers; torch writes which rank says so before each line.
    for own, text in said.items():
        if text and "Traceback" not in text.partition("\n")[0]:
            sys.stderr.write(text)
            sys.exit(max(1, workers[own].returncode))
    for own in failed:
        if workers[own].returncode < 0:
            raise UserError(
                f"process {own + 1} of {len(workers)} was ended by {signal.Signals(-workers[own].returncode).name}, "
                "sent by a person or, where memory was short, by the system: the same command continues from the "
                "newest checkpoint, if there was one already"
            )
    sys.stderr.write("".join(said.values()))
    sys.exit(1)
