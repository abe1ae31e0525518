"""Scoring by two workers of Ray that are killed, or whose driver is, and what must come of it."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import ROOT
from tests.sentiment.scoring.files import write

PREDICT = [sys.executable, "-m", "sentiment.predict"]
FILES = 12
SURVIVAL = 15
"""Seconds within which every process of Ray must be gone after its driver."""


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)} | more


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class Scoring:
    """Some files of reviews, the bytes that one process makes of them, and kills of two workers at the same."""

    def __init__(self, folder: Path, model: Path, reviews: pa.Table, times: int) -> None:
        self.folder, self.model = folder, model
        table = pa.concat_tables([reviews] * times)
        (folder / "in").mkdir(parents=True)
        for number in range(FILES):
            write(str(folder / f"in/{number}.csv"), table)
        # Large enough to be scored in pieces.
        rows = 60_000
        texts = pa.array(reviews["text"].to_pylist() * (rows // len(reviews) + 1))[:rows]
        pq.write_table(
            pa.table({"text": texts, "id": [os.urandom(16).hex() for _ in range(rows)]}), folder / "in/large.parquet"
        )
        self.run("alone")
        self.expected = outputs(folder / "alone")
        assert len(self.expected) == FILES + 1

    def start(self, output: str, *more: str) -> subprocess.Popen[bytes]:
        command = [*PREDICT, "in", "-o", output, "--model", str(self.model), *more]
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(command, cwd=self.folder, env=environment(), stderr=said)

    def run(self, output: str, *more: str) -> None:
        """Score to the end."""
        status = self.start(output, *more).wait()
        assert status == 0, (self.folder / "said").read_text()[-3000:]

    def kill(self, kills: int, draw: random.Random) -> Counter[str]:
        """Kill a worker or the driver at random moments until so often; return how often which.

        What was killed is run again, and must end with the bytes of one process.
        """
        hit: Counter[str] = Counter()
        runs = 0
        while hit.total() < kills:
            runs += 1
            output = f"killed{runs}"
            while not self._survives(output, kills, hit, draw):
                pass
            self.run(output, "--workers", "2")
            assert outputs(self.folder / output) == self.expected, "a killed run ended with other bytes"
        return hit

    def _survives(self, output: str, kills: int, hit: Counter[str], draw: random.Random) -> bool:
        """Start two workers and kill one now and then, or the driver; say whether that came to its own end."""
        process = self.start(output, "--workers", "2")
        while hit.total() < kills and self._goes_on(process, output, draw):
            killed = self._kill_one(process, draw)
            hit[killed] += 1
            if killed == "driver":
                return False
        process.wait()
        return True

    def _goes_on(self, process: subprocess.Popen[bytes], output: str, draw: random.Random) -> bool:
        """Wait until one more record is there, and a moment longer; say whether the run still goes on."""
        records = self.folder / output / ".scoring"
        before = len(list(records.rglob("*.json")))
        while process.poll() is None and len(list(records.rglob("*.json"))) == before:
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.5))
        return process.poll() is None

    def _kill_one(self, process: subprocess.Popen[bytes], draw: random.Random) -> str:
        below = psutil.Process(process.pid).children(recursive=True)
        workers = [child for child in below if _command(child).startswith("ray::_do")]
        if workers and draw.random() < 0.5:
            draw.choice(workers).kill()
            return "worker"
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(below, timeout=SURVIVAL)
        assert not alive, f"{SURVIVAL} s after the driver there is still {list(map(_command, alive))}"
        return "driver"


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
