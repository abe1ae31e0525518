"""Signs of life, left in a store that here is a dictionary."""

import os
import threading
from collections.abc import Callable

import pytest

from sentiment.core import machines, processes
from sentiment.core.machines import GONE, LOST, SILENT


class Exited(BaseException):
    """What stands for the end of this process."""


@pytest.fixture(autouse=True)
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is the second of two."""

    def leave(code: int) -> None:
        raise Exited(code)

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv(processes.LAUNCHER, raising=False)
    monkeypatch.setattr(os, "_exit", leave)


class Beats(threading.Event):
    """An event that is set after so many beats; before each of them something is done."""

    def __init__(self, beats: int, before: Callable[[int], object] = int) -> None:
        super().__init__()
        self.beats, self.before, self.waited = beats, before, 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited += 1
        self.before(self.waited)
        return self.waited > self.beats


def test_another_process_whose_sign_stays_the_same_is_lost(capfd: pytest.CaptureFixture[str]) -> None:
    beats = Beats(1000)
    with pytest.raises(Exited):
        machines._listen({0: b"5"}, beats, "train")

    assert beats.waited == SILENT
    assert capfd.readouterr().err == f"train: error: {LOST}\n"


def test_one_that_lives_or_has_done_its_work_is_not() -> None:
    signs = {1: b"0", 2: GONE}
    beats = Beats(5 * SILENT, lambda beat: signs.update({1: str(beat // (SILENT - 1)).encode()}))
    machines._listen(signs, beats, "train")

    assert beats.waited == 5 * SILENT + 1


class Store(dict[str, bytes]):
    def set(self, name: str, sign: str) -> None:
        self[name] = sign.encode()

    def get(self, name: str) -> bytes:
        if name not in self:
            raise RuntimeError("the connection was closed")
        return self[name]


def test_signs_are_exchanged_until_the_process_has_ended_or_the_store_is_gone() -> None:
    store, signs = Store(), {0: b""}
    machines._exchange(store, signs, Beats(3))
    assert signs == {0: b""}
    assert store == {"sentiment-1": b"1"}

    store.set("sentiment-0", "7")
    machines._exchange(store, signs, Beats(3))
    assert signs == {0: b"7"}
    assert store["sentiment-1"] == GONE


def test_a_closed_connection_is_told_as_a_loss_and_a_defect_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]")
    assert machines.tells_of_loss(closed)
    assert not machines.tells_of_loss(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))

    # There our own launcher knows more.
    monkeypatch.setenv(processes.LAUNCHER, "1")
    assert not machines.tells_of_loss(closed)
