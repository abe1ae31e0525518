"""A large table of made-up reviews for a measurement, and what a command that works on it takes."""

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
WORDS_PER_REVIEW = 65
ROW_GROUP = 100_000


def make(path: Path, rows: int) -> None:
    """Write a table of made-up reviews of about 400 characters; one in a hundred occurs twice."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from tqdm import tqdm

    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = pa.array(["".join(random.choice(letters, length)) for length in random.integers(2, 9, 20_000)])
    schema = pa.schema([("text", pa.string()), ("label", pa.int8())])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in tqdm(range(0, rows, ROW_GROUP), desc="make the table", unit="row group"):
            count = min(ROW_GROUP, rows - start)
            chosen = pc.take(words, pa.array(random.integers(0, len(words), count * WORDS_PER_REVIEW)))
            offsets = pa.array(np.arange(0, count * WORDS_PER_REVIEW + 1, WORDS_PER_REVIEW, dtype=np.int32))
            text = pc.binary_join(pa.ListArray.from_arrays(offsets, chosen), " ")
            label = random.integers(0, 2, count, np.int8)
            repeated = np.arange(count)
            repeated[1::100] = repeated[0::100][: len(repeated[1::100])]
            writer.write_table(pa.table([pc.take(text, repeated), label[repeated]], schema))


def asked(name: str) -> tuple[Path, int]:
    """Return the folder and the number of rows that the command line of a benchmark asks for."""
    parser = ArgumentParser(name)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=3_600_000)
    arguments = parser.parse_args()
    return arguments.folder.resolve(), arguments.rows


def set_up(folder: Path, rows: int, **changes: dict[str, Any]) -> Path:
    """Write a table of so many rows and params.yaml, with its sections changed, into the folder; return the table.

    The table is made in a process of its own: a child's peak memory starts from its parent's.
    """
    table = folder / "data/raw/train.parquet"
    table.parent.mkdir(parents=True, exist_ok=True)
    measure("-c", f"from benchmarks.large_table import *; make(Path({str(table)!r}), {rows})", folder=folder, rows=rows)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for section, values in changes.items():
        params[section] |= values
    yaml.dump(params, folder / "params.yaml")
    return table


def resident(pid: int) -> int:
    """Return the bytes of memory that a process and those below it hold together; what they share counts for each."""
    held = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                held += each.memory_info().rss
    return held


def measure(*arguments: str, folder: Path, rows: int) -> dict[str, Any]:
    """Run Python in a fresh process; return its seconds, rows per second and peak memory, with those that it starts."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    )
    together = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        together = max(together, resident(process.pid))
        time.sleep(0.1)
    seconds = time.monotonic() - started
    if status:
        sys.exit(f"{' '.join(arguments)[:60]} failed")
    # Linux counts in KiB, macOS in bytes; no single process's peak is missed between two looks at all of them.
    peak = max(together, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "rows_per_second": round(rows / seconds),
        "peak_mb": round(peak / 1e6),
    }
