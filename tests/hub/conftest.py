"""A hub on loopback, and waits that take no time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.client import LARGE, SMALL
from tests.hub_repositories import Repo
from tests.hub_server import Hub, only_hub, running


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Serve the model org/tiny and the dataset org/toy, and let this process know no other hub."""
    (tmp_path / "served/sub").mkdir(parents=True)
    (tmp_path / "served/model.safetensors").write_bytes(LARGE)
    (tmp_path / "served/sub/vocab.txt").write_bytes(SMALL)
    model, dataset = Repo(tmp_path / "served"), Repo(tmp_path / "served")
    model.xet = True
    repos = {("model", "org/tiny"): model, ("dataset", "org/toy"): dataset}
    with running(Hub(repos)) as server, only_hub(server.url, tmp_path / "cache"):
        yield server


@pytest.fixture(autouse=True)
def waits() -> Iterator[list[float]]:
    """Return the seconds that were waited between attempts, none of which passes."""
    seconds: list[float] = []
    # Not by the fixture `monkeypatch`: begun before `hub`, it would end after it, and leave behind what hub had set.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", seconds.append)
        yield seconds
