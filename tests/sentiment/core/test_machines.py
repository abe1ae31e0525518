"""Signs of life, left in a store that here is a dictionary."""

import os
import threading
from collections.abc import Callable

import pytest

from sentiment.core import machines, processes
from sentiment.core.machines import GONE, LOST, SILENT


class Store(dict[str, bytes]):
    """What other processes leave in the store; it fails from so many readings on."""

    def __init__(self, sign_of_other: Callable[[int], bytes], lasts: int = 10**6) -> None:
        super().__init__()
        self.sign_of_other, self.lasts, self.readings = sign_of_other, lasts, 0

    def set(self, name: str, sign: str) -> None:
        self[name] = sign.encode()

    def get(self, name: str) -> bytes:  # type: ignore[override]
        self.readings += 1
        if self.readings > self.lasts:
            raise RuntimeError("the connection was closed")
        return self.sign_of_other(self.readings)


class Exited(BaseException):
    """What stands for the end of this process."""


@pytest.fixture(autouse=True)
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the second of two, whose hearts beat fast."""

    def leave(code: int) -> None:
        raise Exited(code)

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv(processes.LAUNCHER, raising=False)
    monkeypatch.setattr(machines, "BEAT", 0.001)
    monkeypatch.setattr(os, "_exit", leave)


def end_after(readings: int, store: Store) -> threading.Event:
    """Return an event that is set once the store has been read so often."""
    ended = threading.Event()
    sign_of_other = store.sign_of_other

    def watched(reading: int) -> bytes:
        if reading >= readings:
            ended.set()
        return sign_of_other(reading)

    store.sign_of_other = watched
    return ended


def test_another_process_that_gives_no_further_sign_is_lost(capfd: pytest.CaptureFixture[str]) -> None:
    store = Store(lambda _: b"5")
    with pytest.raises(Exited):
        machines._watch(store, threading.Event(), "train")  # type: ignore[arg-type]

    assert store.readings == SILENT + 1
    assert capfd.readouterr().err == f"train: error: {LOST}\n"


@pytest.mark.parametrize("sign", [lambda reading: str(reading).encode(), lambda _: GONE], ids=["alive", "done"])
def test_one_that_lives_or_has_done_its_work_is_not(sign: Callable[[int], bytes]) -> None:
    store = Store(sign)
    machines._watch(store, end_after(5 * SILENT, store), "train")  # type: ignore[arg-type]

    assert store.readings == 5 * SILENT
    assert store["sentiment-1"] == GONE


def test_a_store_that_is_gone_is_a_loss_unless_this_process_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = Store(lambda reading: str(reading).encode(), lasts=3)
    with pytest.raises(Exited):
        machines._watch(alive, threading.Event(), "train")  # type: ignore[arg-type]

    monkeypatch.setattr(machines, "BEAT", 5.0)
    ended = threading.Event()
    ended.set()
    machines._watch(Store(lambda _: b"", lasts=0), ended, "train")  # type: ignore[arg-type]


def test_a_closed_connection_is_told_as_a_loss_and_a_defect_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]")
    assert machines.tells_of_loss(closed)
    assert not machines.tells_of_loss(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))

    # There our own launcher knows more.
    monkeypatch.setenv(processes.LAUNCHER, "1")
    assert not machines.tells_of_loss(closed)
