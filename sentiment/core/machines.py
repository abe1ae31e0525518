"""Processes on several machines: whether they share a folder, and whether all of them still live.

On one machine the launcher sees a process end. Of another machine that is switched off nothing is heard any more, and
what waits for it would wait without end.
"""

import atexit
import os
import secrets
import sys
import threading
from datetime import timedelta
from itertools import count as counting
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment.core import processes
from sentiment.core.errors import UserError

if TYPE_CHECKING:
    from torch.distributed import TCPStore

BEAT = 5.0
"""Seconds from one sign of life of a process to the next."""
SILENT = 8
"""After as many beats without a sign a process counts as lost. It has to do no more than to wake up for a sign."""
GONE = b"gone"
"""The last sign of a process that has ended."""
LOST = (
    "a process on this or another machine no longer answers: it, its machine or the network has failed; the same "
    "command on all machines continues from the newest checkpoint, if there was one already"
)


def watch(name: str) -> None:
    """Give signs of life until this process ends, and end the command of that name where another one's stay out.

    The main process watches all others, and they watch it. MASTER_ADDR and MASTER_PORT say where signs are left.
    """
    from torch.distributed import TCPStore

    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False, timeout=timedelta(seconds=BEAT * SILENT))
    store.set(_sign(processes.rank()), "0")
    processes.gather(None)
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(store, ended, name), daemon=True)
    watcher.start()

    def leave() -> None:
        ended.set()
        watcher.join(BEAT)

    atexit.register(leave)


def _sign(rank: int) -> str:
    return f"sentiment-{rank}"


def _watch(store: "TCPStore", ended: threading.Event, name: str) -> None:
    others = range(1, processes.count()) if processes.is_main() else [0]
    signs = dict.fromkeys(others, b"")
    silent = dict.fromkeys(others, 0)
    for beat in counting(1):
        try:
            store.set(_sign(processes.rank()), str(beat))
            for other in others:
                sign = store.get(_sign(other))
                silent[other] = silent[other] + 1 if sign == signs[other] != GONE else 0
                signs[other] = sign
            is_lost = max(silent.values()) >= SILENT
        except RuntimeError:
            # The store ends with the process that has it, which may be a moment before this one, all being done.
            is_lost = not ended.wait(BEAT)
            if not is_lost:
                return
        if is_lost:
            print(f"{name}: error: {LOST}", file=sys.__stderr__, flush=True)
            os._exit(1)
        if ended.wait(BEAT):
            store.set(_sign(processes.rank()), GONE.decode())
            return


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
