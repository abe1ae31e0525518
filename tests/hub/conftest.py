"""A hub on loopback, and waits that take no time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.client import LARGE, SMALL
from tests.hub_server import Hub, Repo, only_hub, running


@pytest.fixture
def served(tmp_path: Path) -> Path:
    for name, content in {"model.safetensors": LARGE, "sub/vocab.txt": SMALL}.items():
        path = tmp_path / "served" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "served"


@pytest.fixture
def hub(served: Path, tmp_path: Path) -> Iterator[Hub]:
    """Serve the model org/tiny and the dataset org/toy, and let this process know no other hub."""
    repos = {("model", "org/tiny"): Repo(served), ("dataset", "org/toy"): Repo(served)}
    with running(Hub(repos)) as server, only_hub(server.url, tmp_path / "cache"):
        yield server


@pytest.fixture(autouse=True)
def waits() -> Iterator[list[float]]:
    """Return the seconds that were waited between attempts, none of which passes."""
    seconds: list[float] = []
    # Not by the fixture `monkeypatch`: begun before `hub`, it would end after it, and leave behind what hub had set.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenacity.nap.time.sleep", seconds.append)
        yield seconds
