"""Several processes at work: the order, what is in flight, and what is left when one of them or the driver ends."""

import math
import operator
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path

import psutil
import pytest

from sentiment.core.errors import UserError
from sentiment.core.workers import IN_FLIGHT, cores, mapping

ROOT = Path(__file__).parents[3]
KILLED = (
    "one of 2 worker processes was killed, which the system does when memory runs out: free some and run the same "
    "command again, on fewer cores if that is not enough (taskset -c 0 leaves one)"
)


def test_there_is_a_core_to_work_on() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


def test_results_come_in_order_while_few_items_are_in_flight() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 100:
            taken += 1
            yield taken

    with mapping(operator.neg, 2) as negate:
        for done, result in enumerate(negate(items()), 1):
            assert result == -done
            assert taken - done <= 2 * IN_FLIGHT
    assert taken == 100
    assert not active_children()


def test_one_process_works_by_itself() -> None:
    with mapping(lambda _: os.getpid(), 1) as ask:
        assert set(ask(range(3))) == {os.getpid()}


def test_an_error_in_a_worker_is_raised_here_and_leaves_no_process() -> None:
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"), mapping(math.sqrt, 2) as roots:
        list(roots([4, 1, -1, 9]))
    assert not active_children()


def test_a_killed_worker_is_a_sentence_and_leaves_no_process() -> None:
    with pytest.raises(UserError, match=f"^{re.escape(KILLED)}$"), mapping(signal.raise_signal, 2) as send:
        list(send([signal.SIGKILL] * 5))
    assert not active_children()


COMMAND = """
import time
from multiprocessing import active_children

import pyarrow as pa

from sentiment.core.command import run
from sentiment.core.parquet import write_batches
from sentiment.core.workers import mapping


def slowly(number):
    time.sleep(0.05)
    return pa.table({"number": [number]})


def main():
    with mapping(slowly, 2) as each:

        def tables():
            for number, table in enumerate(each(range(10_000))):
                yield table
                if number == 4:
                    print(*(child.pid for child in active_children()), flush=True)

        write_batches("out.parquet", tables(), pa.schema([("number", pa.int64())]))


if __name__ == "__main__":
    run(main, "work")
"""


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


INTERRUPTED = "work: interrupted; the same command again starts over or continues"


@pytest.mark.parametrize(
    ("sign", "whom", "code", "said"),
    [
        (signal.SIGINT, "all", 130, INTERRUPTED),  # Ctrl-C reaches every process of the terminal
        (signal.SIGTERM, "driver", 143, INTERRUPTED),
        (signal.SIGKILL, "worker", 1, f"work: error: {KILLED}"),
        (signal.SIGKILL, "driver", -9, None),
    ],
)
def test_whoever_is_stopped_no_process_and_no_half_written_file_is_left(
    tmp_path: Path, sign: signal.Signals, whom: str, code: int, said: str | None
) -> None:
    (tmp_path / "work.py").write_text(COMMAND, encoding="utf-8")
    driver = subprocess.Popen(
        [sys.executable, "work.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert driver.stdout
    workers = [int(pid) for pid in driver.stdout.readline().split()]
    assert len(workers) == 2
    if whom == "all":
        os.killpg(driver.pid, sign)
    else:
        os.kill(driver.pid if whom == "driver" else workers[0], sign)
    _, errors = driver.communicate(timeout=300)

    assert driver.returncode == code
    if said is not None:
        assert errors == f"{said}\n"
        assert [path.name for path in tmp_path.iterdir()] == ["work.py"]
    assert not (tmp_path / "out.parquet").exists()
    deadline = time.monotonic() + 60
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
