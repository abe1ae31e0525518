"""Which processes are started, joined or refused, and what they share. Nothing is started here."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sentiment.core import launching, processes
from sentiment.core.errors import UserError
from sentiment.core.params import Params, load_params

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def asked(processes: int | str, device: str = "auto") -> Params:
    params = load_params(ROOT / "params.yaml")
    train = params.train.model_copy(update={"processes": processes})
    return params.model_copy(update={"device": device, "threads": 3, "train": train})


@pytest.fixture
def gpus(environment: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let there be so many GPUs, and return how many processes have been started."""

    def have(number: int) -> list[int]:
        import torch

        started: list[int] = []
        environment.setattr(torch.cuda, "device_count", lambda: number)
        environment.setattr(launching, "_run", lambda processes, _: started.append(processes))
        return started

    return have


@pytest.mark.parametrize(
    ("wanted", "number", "expected"),
    [("auto", 0, []), ("auto", 1, []), ("auto", 2, [2]), (1, 2, []), (2, 2, [2]), (2, 4, [2]), (3, 0, [3])],
)
def test_there_is_a_process_for_each_gpu_or_as_many_as_are_wanted(
    gpus: Callable[[int], list[int]], wanted: int, number: int, expected: list[int]
) -> None:
    started = gpus(number)
    assert launching.start(asked(wanted), "stages.train") == bool(expected)
    assert started == expected
    # One process has one GPU.
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == (None if expected else "0")


def test_more_processes_than_gpus_are_refused(gpus: Callable[[int], list[int]]) -> None:
    gpus(2)
    with pytest.raises(
        UserError, match=r"^params.yaml: train.processes is 3, and the number of GPUs is 2: take auto or 2$"
    ):
        launching.start(asked(3), "stages.train")


def test_processes_that_compute_on_the_cpu_do_not_count_gpus(gpus: Callable[[int], list[int]]) -> None:
    started = gpus(2)
    assert not launching.start(asked("auto", "cpu"), "stages.train")
    assert launching.start(asked(3, "cpu"), "stages.train")
    assert started == [3]


def test_what_a_launcher_has_started_is_joined_where_the_number_is_right(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "2")
    connected: list[tuple[int, bool]] = []
    watched: list[str] = []
    environment.setattr(launching, "connect", lambda threads, *, on_gpu: connected.append((threads, on_gpu)))
    environment.setattr(launching, "watch", watched.append)
    environment.setattr(launching, "_require_meeting", lambda: None)
    assert not launching.start(asked("auto"), "stages.train")
    assert not launching.start(asked(2), "stages.train")
    assert connected == [(3, True), (3, True)]
    assert watched == ["train", "train"]
    with pytest.raises(UserError, match=r"^params.yaml: train.processes is 4, and 2 were started: take auto$"):
        launching.start(asked(4), "stages.train")


def test_another_launcher_starts_them_where_it_is_named_and_the_command_ends_as_it_does(
    environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("WORLD_SIZE", raising=False)
    environment.setenv("SENTIMENT_START_WITH", "echo 'on all'")
    assert launching.start(asked("auto"), "stages.train")
    assert capfd.readouterr().out == f"on all {sys.executable} -m stages.train\n"

    environment.setenv("SENTIMENT_START_WITH", "sh -c 'exit 143'")
    with pytest.raises(SystemExit, match="143"):
        launching.start(asked("auto"), "stages.train")


def test_other_commands_are_alone_whatever_a_launcher_says(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "2")
    environment.setenv("RANK", "1")
    processes.alone()
    assert (processes.count(), processes.rank(), os.environ["CUDA_VISIBLE_DEVICES"]) == (1, 0, "0")


def test_of_several_each_has_a_share_that_is_put_together_again(environment: pytest.MonkeyPatch) -> None:
    items, shares = list(range(7)), []
    environment.setenv("WORLD_SIZE", "3")
    for rank in range(3):
        environment.setenv("RANK", str(rank))
        shares.append(processes.share(items))
    assert shares == [[0, 3, 6], [1, 4], [2, 5]]
    environment.setattr(processes, "gather", lambda _: shares)
    assert processes.put_together([]) == items


def test_one_process_does_all_by_itself(environment: pytest.MonkeyPatch) -> None:
    assert processes.share([1, 2]) == processes.put_together([1, 2]) == [1, 2]
    assert processes.gather(3) == [3]
    assert processes.agreed(4) == processes.by_main(lambda: 4) == 4
    with pytest.raises(KeyError):
        processes.by_main(lambda: {}["missing"])


def test_one_process_of_a_launcher_is_alone_with_one_gpu(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "1")
    environment.setenv("RANK", "0")
    assert not launching.start(asked("auto"), "stages.train")
    assert "WORLD_SIZE" not in os.environ
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_launcher_that_does_not_say_where_to_meet_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WORLD_SIZE", "2")
    environment.setenv("RANK", "1")
    for name in ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", processes.LAUNCHER):
        environment.delenv(name, raising=False)
    lacking = "LOCAL_RANK, MASTER_ADDR, MASTER_PORT is not set: start them with torchrun, or unset WORLD_SIZE$"
    with pytest.raises(UserError, match=lacking):
        launching.start(asked("auto"), "stages.train")


def test_windows_has_one_process_however_many_gpus(
    gpus: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = gpus(2)
    monkeypatch.setattr(launching, "WINDOWS", True)
    assert not launching.start(asked("auto"), "stages.train")
    with pytest.raises(UserError, match=r"which Windows can't run: take auto or 1$"):
        launching.start(asked(2), "stages.train")
    assert started == []
