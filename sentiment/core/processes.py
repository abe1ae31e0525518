"""Several processes that train one model together: who is who, what they share, and what only one of them does.

The usual case is one process, in which all of this does nothing. Of several, WORLD_SIZE, RANK and LOCAL_RANK say who is
who, whether sentiment.core.launching has started them or another launcher has, such as torchrun.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

LAUNCHER = "SENTIMENT_LAUNCHER"
"""In the processes that our own launcher starts: its process id."""
MEETING = "SENTIMENT_MEETING"
"""In these too: the folder where they find each other, and where each leaves its last words."""
FOREIGN = "SENTIMENT_START_WITH"
"""The variable with the command of another launcher, which is to start the processes in place of our own."""
WORDS = "words-"
"""The last words' file, followed by the rank."""
LOOKS = 0.1
"""Seconds from one look at another process to the next."""


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    return rank() == 0


def alone(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let this process be the only one, with one GPU: the first, unless the user chose another."""
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        environment.pop(name, None)
    environment.setdefault("CUDA_VISIBLE_DEVICES", "0")


def join() -> None:
    """Take part in what a launcher has started, as a command begins: the main process alone speaks, while all go well.

    Where the launcher is killed, so is this process: nobody would tell it to stop.
    """
    if not is_main():
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    if LAUNCHER in os.environ:
        threading.Thread(target=_end_with_launcher, daemon=True).start()


def _end_with_launcher() -> None:
    while os.getppid() == int(os.environ[LAUNCHER]):
        time.sleep(LOOKS)
    shutil.rmtree(os.environ[MEETING], ignore_errors=True)
    os._exit(1)


def speak_last() -> None:
    """Let this process say why it fails: to our launcher, which tells the reader, or to the reader."""
    if LAUNCHER in os.environ:
        sys.stderr = Path(os.environ[MEETING], f"{WORDS}{rank()}").open("w", encoding="utf-8")  # noqa: SIM115 - likewise
    elif not is_main():
        sys.stderr = sys.__stderr__


def is_reported_by_another() -> bool:
    """Say whether it is for another process to report that the command has ended."""
    return LAUNCHER in os.environ or not is_main() or (FOREIGN in os.environ and count() > 1)


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask this process to stop: srun passes SIGUSR1 on, where it kills at the usual ones."""
    usual = [signal.SIGINT, signal.SIGTERM]
    return [*usual, signal.SIGUSR1] if FOREIGN in os.environ and hasattr(signal, "SIGUSR1") else usual


def connect(threads: int, *, on_gpu: bool) -> None:
    """Let the processes find each other, and give each its GPU where they are to have one; loads torch."""
    if count() == 1:
        return
    import torch
    import torch.distributed as dist

    # Without it accelerate sets another number of threads.
    os.environ["OMP_NUM_THREADS"] = str(threads)
    on_gpu = on_gpu and torch.cuda.is_available()
    # A launcher may show each process its own GPU alone.
    if on_gpu and torch.cuda.device_count() > 1:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # Without a place of ours the launcher's variables say where they meet.
    place = Path(os.environ[MEETING], "store").as_uri() if MEETING in os.environ else None
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    dist.init_process_group(backend, init_method=place, rank=rank(), world_size=count())


def share(items: Sequence[T]) -> Sequence[T]:
    """Return this process's share: of items in the order of their size, all processes' shares are of like size."""
    return items[rank() :: count()]


def put_together(shares: list[T]) -> list[T]:
    """Return the items of all processes' shares, in the order in which `share` dealt them out."""
    parts = gather(shares)
    items: list[Any] = [None] * sum(len(part) for part in parts)
    for own, part in enumerate(parts):
        items[own :: len(parts)] = part
    return items


def gather(value: T) -> list[T]:
    """Return every process's value, in each of them; none goes on before all have come here."""
    if count() == 1:
        return [value]
    import torch.distributed as dist

    values: list[Any] = [None] * count()
    dist.all_gather_object(values, value)
    return values


def agreed(value: T) -> T:
    """Return the main process's value, in each of them."""
    if count() == 1:
        return value
    import torch.distributed as dist

    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def add_up(tensor: "torch.Tensor") -> None:
    """Put the sum of all processes' tensors into each of them."""
    import torch.distributed as dist

    dist.all_reduce(tensor)


def by_main(work: Callable[[], T]) -> T:
    """Let the main process do some work once all have come here; return what it found, in each of them.

    Whatever it raises, it raises here; the others then end without a word.
    """
    gather(None)
    found: list[T] = []
    error: Exception | None = None
    if is_main():
        try:
            found = [work()]
        except Exception as raised:  # whatever it is, the others wait to hear of it
            error = raised
    found = agreed(found)
    if error:
        raise error
    if not found:
        sys.exit(1)
    return found[0]


@contextmanager
def held_by_main(context: AbstractContextManager[Any]) -> Iterator[None]:
    """Let the main process enter a context for all before any of them goes on; what it yields is of no interest."""
    with ExitStack() as stack:
        by_main(lambda: bool(stack.enter_context(context)))
        yield
