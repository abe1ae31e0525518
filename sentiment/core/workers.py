"""Work that several processes share, with results in order and memory that does not grow with the work."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from sentiment.core.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
Mapping = Callable[[Iterable[Item]], Iterator[Result]]

IN_FLIGHT = 2
"""Items per process that are being worked on, or done and waiting for one before them."""

_function: Callable[[Any], Any]


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def mapping(function: Callable[[Item], Result], processes: int) -> Iterator[Mapping[Item, Result]]:
    """Yield a map of the function over items, whose results come in order, whatever the number of processes.

    With one it works in this process, else in so many new ones, which end with the block and with this process. What
    they share goes through pickle: the function once, items and results each. Raises UserError when one of them is
    killed.
    """
    if processes == 1:
        yield partial(map, function)
        return
    # Not forked: a copy of a process whose libraries run threads can wait for ever for a lock that one of them held.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin, (function,))
    try:
        yield partial(_map, pool, IN_FLIGHT * processes)
    except BrokenProcessPool:
        raise UserError(
            f"one of {processes} worker processes was killed, which the system does when memory runs out: free some "
            "and run the same command again, on fewer cores if that is not enough (taskset -c 0 leaves one)"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _map(pool: ProcessPoolExecutor, in_flight: int, items: Iterable[Item]) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    for item in items:
        if len(waiting) == in_flight:
            yield waiting.popleft().result()
        with _deaf_to_interruptions():
            waiting.append(pool.submit(_work, item))
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def _deaf_to_interruptions() -> Iterator[None]:
    """Let processes that start meanwhile never hear of Ctrl-C, which is for the one that started them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(function: Callable[[Any], Any]) -> None:
    """Prepare a new process for its work: in one thread, as each core has a process, and not for longer than ours."""
    global _function  # noqa: PLW0603 - all that the pool calls here are module-level functions
    _function = function
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent
    parent.join()
    os._exit(1)


def _work(item: Any) -> Any:
    return _function(item)
