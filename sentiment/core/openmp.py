"""How OpenMP's threads wait for one another, which its library reads when it is loaded: before torch is imported."""

import os
from collections.abc import MutableMapping

WAITING = {
    "GOMP_SPINCOUNT": "1000",  # GNU's, with torch for Linux: loops
    "KMP_BLOCKTIME": "1",  # LLVM's and Intel's, with torch for macOS and Windows: milliseconds
}
"""Threads that wait look out for work for a moment, and then sleep.

By default they keep looking: beside other work, those that wait then take the processor from those that are waited for.
docs/performance.md says what this is worth, on a quiet machine and on a busy one.
"""


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads wait so in this process and those that it starts, unless the user chose otherwise."""
    if "OMP_WAIT_POLICY" not in environment:
        for name, value in WAITING.items():
            environment.setdefault(name, value)
