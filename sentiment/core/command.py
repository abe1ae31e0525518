"""How a command starts and ends: errors as one line for people, time on the terminal and in an untracked log."""

import atexit
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sentiment.core import machines, processes
from sentiment.core.errors import UserError
from sentiment.core.openmp import wait_briefly

TIMINGS = Path("logs/timings.jsonl")


def run(main: Callable[[], None], name: str, *, network: bool = False, several: bool = False) -> None:
    """Run `main` and exit: 0 when done, 1 after a mistake that its user can fix, 130 after Ctrl-C, 143 after SIGTERM.

    Unless `network` is true, the hub is switched off first, so that only the downloads can reach it. Unless `main` can
    be run by `several` processes, it has one GPU. A bug of ours still ends in a traceback.
    """
    if not network:
        os.environ["HF_HUB_OFFLINE"] = "1"
    wait_briefly()
    if isinstance(sys.stdout, TextIOWrapper):
        # Where Windows writes into a file or a pipe, its encoding lacks most of what people write.
        sys.stdout.reconfigure(errors="backslashreplace")
    if several:
        processes.join()
    else:
        processes.alone()
    received: list[int] = []

    def interrupt(sign: int, _frame: FrameType | None) -> None:
        received.append(sign)
        raise KeyboardInterrupt

    for sign in processes.stop_signals():
        signal.signal(sign, interrupt)
    # Importing torch and transformers makes so many objects that collecting garbage takes a seventh of the time. The
    # collection before Python exits would take two seconds more.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    started = time.monotonic()
    try:
        main()
    except (Exception, KeyboardInterrupt) as error:
        processes.speak_last()
        # Libraries turn an interruption that reaches them at the wrong moment into errors of their own.
        if received or isinstance(error, KeyboardInterrupt):
            print(f"{name}: interrupted; the same command again starts over or continues", file=sys.stderr)
            sys.exit(128 + (received[0] if received else signal.SIGINT))
        _explain(error, name)
    if processes.is_reported_by_another():
        return
    seconds = round(time.monotonic() - started, 1)
    # Not on stdout: there, a command's result may be JSON for another program.
    print(f"{name}: done in {seconds} s", file=sys.stderr)
    ended = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    # What is done has not failed because the log can't be written, in a project that others only read, say.
    with suppress(OSError):
        TIMINGS.parent.mkdir(exist_ok=True)
        with TIMINGS.open("a", encoding="utf-8", newline="\n") as log:
            log.write(json.dumps({"command": name, "seconds": seconds, "ended": ended}) + "\n")


def _explain(error: Exception, name: str) -> NoReturn:
    """Exit with one line for a mistake that its user can fix; let a bug of ours keep its traceback."""
    if machines.tells_of_loss(error):
        error = UserError(machines.LOST)
    if isinstance(error, UserError):
        sys.exit(f"{name}: error: {error}")
    # safetensors reports the system's errors, such as a full disk, as its own.
    safetensors = sys.modules.get("safetensors")
    if isinstance(error, OSError) or (safetensors and isinstance(error, safetensors.SafetensorError)):
        place = getattr(error, "filename", None) or "the operating system"
        remedy = "free space or correct the permissions, then run the same command again"
        if isinstance(error, FileNotFoundError):
            remedy = "dvc repro makes what is missing, or give the path of a file that exists"
        sys.exit(f"{name}: error: {place}: {getattr(error, 'strerror', None) or error}; {remedy}")
    raise error
