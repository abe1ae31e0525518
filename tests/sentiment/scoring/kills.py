"""Scoring by two workers of Ray that are killed, or whose driver is, and what must come of it."""

import os
import random
import signal
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
        return subprocess.Popen(command, cwd=self.folder, env=environment(), stderr=subprocess.PIPE)

    def run(self, output: str, *more: str) -> str:
        process = self.start(output, *more)
        said = process.communicate()[1].decode()
        assert process.returncode == 0, said[-3000:]
        return said

    def kill(self, kills: int, draw: random.Random) -> Counter[str]:
        """Kill as often, a worker or the driver at random moments; return how often which. The run ends whole."""
        hit: Counter[str] = Counter()
        output = f"killed {draw.random()}"
        while hit.total() < kills:
            process = self.start(output, "--workers", "2")
            while hit.total() < kills and self._await_output(process, output, draw):
                ended = self._kill_one(process, draw)
                hit[ended] += 1
                if ended == "driver":
                    break
            if process.poll() is None and hit.total() >= kills:
                process.communicate()
            if process.poll() == 0 and hit.total() < kills:
                output = f"killed {draw.random()}"
        self.run(output, "--workers", "2")
        assert outputs(self.folder / output) == self.expected, "a killed run ended with other bytes"
        return hit

    def _await_output(self, process: subprocess.Popen[bytes], output: str, draw: random.Random) -> bool:
        """Wait until one more file is there, and a moment longer; say whether the run still goes on."""
        records = self.folder / output / ".scoring"
        before = len(list(records.rglob("*.json")))
        while process.poll() is None and len(list(records.rglob("*.json"))) == before:
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.5))
        return process.poll() is None

    def _kill_one(self, process: subprocess.Popen[bytes], draw: random.Random) -> str:
        below = psutil.Process(process.pid).children(recursive=True)
        workers = [child for child in below if "ray::_do" in "".join(_command(child)[:1])]
        if workers and draw.random() < 0.5:
            draw.choice(workers).kill()
            return "worker"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _, alive = psutil.wait_procs(below, timeout=SURVIVAL)
        assert not alive, f"{SURVIVAL} s after the driver there is still {[_command(child)[:3] for child in alive]}"
        return "driver"


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
