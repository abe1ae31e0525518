"""What the tests of the hub ask of it, and what it serves them."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentiment.core.errors import UserError
from sentiment.sources.hub import open_repository
from tests.hub_server import Hub

LARGE = random.Random(0).randbytes(300_000)
SMALL = b"[PAD]\n[UNK]\n"


def fetch(name: str = "org/tiny", kind: Any = "model", **options: Any) -> Path:
    return open_repository(name, kind, **options).fetch(["model.safetensors"])["model.safetensors"]


def refusal(call: Callable[[], object] = fetch) -> str:
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def downloads(hub: Hub) -> int:
    """Count the requests for the bytes of the large file."""
    return len([request for request in hub.requests if request.path.startswith("/storage/")])
