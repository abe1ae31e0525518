"""Processes on several machines: whether they share a folder, and whether all of them still live.

On one machine the launcher sees a process end. Of another machine that is switched off nothing is heard any more, and
what waits for it would wait without end.
"""

import atexit
import os
import secrets
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from itertools import count as counting
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment.core import processes
from sentiment.core.errors import UserError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

BEAT = 5.0
"""Seconds from one sign of life of a process to the next."""
SILENT = 8
"""After as many beats without a sign a process counts as lost. It has to do no more than to wake up for a sign."""
GONE = b"gone"
"""The last sign of a process that has ended."""
LOST = (
    "another process has ended or no longer answers: see its own words; where it has none, its machine or the network "
    "has failed; the same command on all machines continues from the newest checkpoint, if there was one already"
)


def watch(name: str) -> None:
    """Give signs of life until this process ends, and end the command of that name where another one's stay out.

    The main process watches all others, and they watch it. MASTER_ADDR and MASTER_PORT say where signs are left.
    """
    # Documented, but not among the names that the module exports.
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    store.set(_name(processes.rank()), "0")
    signs = dict.fromkeys(range(1, processes.count()) if processes.is_main() else [0], b"")
    processes.gather(None)
    ended = threading.Event()
    exchange = threading.Thread(target=_exchange, args=(store, signs, ended), daemon=True)
    exchange.start()
    threading.Thread(target=_listen, args=(signs, ended, name), daemon=True).start()

    def leave() -> None:
        ended.set()
        exchange.join(BEAT)

    atexit.register(leave)


def _name(rank: int) -> str:
    return f"sentiment-{rank}"


def _exchange(store: "Store", signs: dict[int, bytes], ended: threading.Event) -> None:
    """Leave this process's signs in the store, and take the newest ones of others from it, until this one has ended.

    The store fails or never answers where it is its machine that is lost.
    """
    with suppress(RuntimeError):
        for beat in counting(1):
            store.set(_name(processes.rank()), str(beat))
            for other in signs:
                signs[other] = store.get(_name(other))
            if ended.wait(BEAT):
                break
        store.set(_name(processes.rank()), GONE.decode())


def _listen(signs: Mapping[int, bytes], ended: threading.Event, name: str) -> None:
    """End this process once another one's sign has stayed the same for SILENT beats."""
    heard = dict(signs)
    silent = dict.fromkeys(signs, 0)
    while not ended.wait(BEAT):
        for other, sign in signs.items():
            silent[other] = silent[other] + 1 if sign == heard[other] != GONE else 0
            heard[other] = sign
        if max(silent.values()) >= SILENT:
            print(f"{name}: error: {LOST}", file=sys.__stderr__, flush=True)
            os._exit(1)


def tells_of_loss(error: Exception) -> bool:
    """Say whether an error means that another process no longer answers one that a foreign launcher has started."""
    if processes.count() == 1 or processes.LAUNCHER in os.environ:
        return False
    return "gloo" in str(error) or any(kind.__name__ == "DistError" for kind in type(error).__mro__)


def require_shared(folder: Path) -> None:
    """Raise UserError unless all processes see what the main one writes into a folder."""
    mark = folder / processes.agreed(f"shared-{secrets.token_hex(8)}")
    processes.by_main(mark.touch)
    seen = all(processes.gather(mark.exists()))
    processes.by_main(mark.unlink)
    if not seen:
        raise UserError(
            f"the machines do not share {folder}, where checkpoints are saved for all: start the command in a folder "
            "that all of them have, such as one on a network file system, and let SENTIMENT_CHECKPOINT_DIR name such a "
            "folder, if it is set"
        )
