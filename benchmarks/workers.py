"""Score short reviews by one process and by two workers of Ray, in one run.

Reads   models/exported/
Writes  benchmarks/workers.json    of one process with one and with two threads and of two workers: rows per second,
                                   processor seconds and peak memory of all their processes together, both from the
                                   start of the command to its end; how many times as fast two threads and two workers
                                   are, by the clock and by what they do in a second of a processor; and two workers
                                   with the same rows in many small files and in few large ones

    python -m benchmarks.workers FOLDER [--rows 1000000] [--files 10000]    (needs requirements-scale.txt)

The reviews are written into FOLDER. Memory is what each process has to itself plus its share of what it shares (PSS),
on Linux only. On a machine that does other things, believe the ratio by processor seconds.
"""

import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from sentiment.core.command import run
from sentiment.core.files import write_json

MODEL = Path("models/exported").resolve()
ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("benchmarks/workers.json")
WORDS = 5
"""Of a review."""
TICK = 0.5
"""Seconds between two looks at the processes."""
SCORERS = {"one thread": ["--threads", "1"], "two threads": ["--threads", "2"], "two workers": ["--workers", "2"]}
LARGE = 10


def write(folder: Path, files: int, rows: int) -> Path:
    """Write made-up short reviews of common words, as so many parquet files of so many rows in all."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    words = np.array((ROOT / "README.md").read_text(encoding="utf-8").split())
    for number, part in enumerate(np.array_split(np.arange(rows), files)):
        texts = [" ".join(chosen) for chosen in random.choice(words, (len(part), WORDS))]
        pq.write_table(pa.table({"text": texts, "number": part}), folder / f"{number:05}.parquet")
    return folder


def watch(command: list[str]) -> dict[str, float]:
    """Run a command; return its seconds, and processor seconds and peak memory of it and all that it started."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT)
    used: dict[int, float] = {}
    peak = 0.0
    while process.poll() is None:
        memory = 0.0
        for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            try:
                times = one.cpu_times()
                memory += one.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
            used[one.pid] = times.user + times.system
        peak = max(peak, memory)
        time.sleep(TICK)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return {
        "seconds": time.monotonic() - started,
        "processor_seconds": sum(used.values()),
        "peak_mb": peak / 1e6,
    }


def score(source: Path, options: list[str], rows: int) -> dict[str, float]:
    output = source.with_name("scored")
    shutil.rmtree(output, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "sentiment.predict",
        str(source),
        "-o",
        str(output),
        "--model",
        str(MODEL),
        *options,
    ]
    measured = watch(command)
    return measured | {"rows_per_second": rows / measured["seconds"]}


def main() -> None:
    parser = ArgumentParser("workers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=10_000, help="small ones (10,000)")
    arguments = parser.parse_args()
    folder, rows = arguments.folder.resolve(), arguments.rows
    source = write(folder / "reviews", 1, rows)
    found: dict[str, Any] = {name: score(source, options, rows) for name, options in SCORERS.items()}
    one = found["one thread"]
    for name in list(SCORERS)[1:]:
        other = found[name]
        found[name] |= {
            "times_one_thread": one["seconds"] / other["seconds"],
            "times_one_thread_by_processor": 2 * one["processor_seconds"] / other["processor_seconds"],
        }
    fewer = rows // 5
    for name, files in {"few large files": LARGE, "many small files": arguments.files}.items():
        source = write(folder / "reviews", files, fewer)
        found[name] = score(source, SCORERS["two workers"], fewer) | {"files": files, "rows": fewer}
    write_json(RESULTS, found | {"rows": rows})
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, "workers")
