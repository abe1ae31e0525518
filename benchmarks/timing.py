"""Clocks, counters and statistics for the benchmarks of speed."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sentiment.core.errors import UserError
from sentiment.model import device

SPEEDS = Path("benchmarks/speeds")
KINDS = {"AMX": "amx", "bf16": "avx512_bf16", "fp32": "fp32"}
"""What a file of speeds is named after, by the arithmetic of the processor."""

Rival = TypeVar("Rival")

# A child counts as at least as large as the process that starts it, so a small process starts it.
LAUNCHER = """
import resource, subprocess, sys
subprocess.run([sys.executable, *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, end="")
"""


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the range of repeated measurements."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return ours divided by theirs, paired by repetition: what slows one of a pair slows the other too."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def turns(rivals: Mapping[str, Rival], repetition: int) -> list[tuple[str, Rival]]:
    """Return the rivals in their order, beginning with another one in each repetition.

    The first has to prepare what the others then reuse, above all a kernel for each shape of batch.
    """
    order = list(rivals.items())
    first = repetition % len(order)
    return order[first:] + order[:first]


def arithmetic() -> str:
    """Return what `precision: auto` computes in on this processor: fp32, bf16, or AMX, which is bf16 in tiles."""
    if device.arithmetic("auto", torch.device("cpu")) == torch.float32:
        return "fp32"
    return "AMX" if torch.cpu.get_capabilities().get("amx_bf16") else "bf16"


def speeds_file(wanted: str | None = None) -> Path:
    """Return the file of this processor's speeds; raise UserError where another kind of processor is wanted."""
    kind = KINDS[arithmetic()]
    if wanted not in {None, kind}:
        raise UserError(
            f"this processor is of the kind {kind}, not {wanted}: dvc repro benchmarks/dvc.yaml:speeds@{kind}"
        )
    return SPEEDS / f"{kind}.json"


def commit() -> str:
    """Return the short name of the commit that is checked out."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Stopwatch(TrainerCallback):
    """Time a number of training steps after those that warm up, then stop the training; count their real tokens.

    The stopwatch counts by wrapping `trainer.data_collator`.
    """

    def __init__(self, trainer: Trainer, steps: int, warmup: int = 1) -> None:
        self.steps = steps
        self.warmup = warmup
        self.ends: list[float] = []
        self.tokens: list[int] = []
        self.collate = trainer.data_collator
        trainer.data_collator = self._count
        trainer.add_callback(self)
        trainer.remove_callback(PrinterCallback)

    def _count(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = self.collate(rows)
        self.tokens.append(int(batch["attention_mask"].sum()))
        return batch

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if torch.cuda.is_available() and len(self.ends) + 1 in {self.warmup, self.warmup + self.steps}:
            # A GPU still works on what it was told; between these two, Python need not wait for it.
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        control.should_training_stop = len(self.ends) == self.warmup + self.steps

    def tokens_per_second(self) -> float:
        timed = slice(self.warmup, self.warmup + self.steps)
        return sum(self.tokens[timed]) / (self.ends[-1] - self.ends[self.warmup - 1])


def matmul_peak(shapes: Sequence[tuple[int, int, int]], dtype: torch.dtype, runs: int = 5) -> float:
    """Return the FLOP/s of a chain of products [m, k] x [k, n], each weighed by its FLOPs: the median run."""
    pairs = [(torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype).t()) for m, k, n in shapes]
    speeds = []
    for _ in range(1 + runs):
        started = time.perf_counter()
        for left, right in pairs:
            torch.mm(left, right)
        speeds.append(sum(2 * m * k * n for m, k, n in shapes) / (time.perf_counter() - started))
    return statistics.median(speeds[1:])


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def peak_memory(module: str, *arguments: str, folder: Path) -> tuple[int, str]:
    """Run `python -m module arguments` in the folder; return its peak resident memory in bytes, and what it printed.

    Raises subprocess.CalledProcessError when it fails.
    """
    command = [sys.executable, "-c", LAUNCHER, "-m", module, *arguments]
    output = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
    *printed, used = output.split("\n")
    # In KiB on Linux, in bytes on macOS (getrusage(2) of either).
    return int(used) * (1 if sys.platform == "darwin" else 1024), "\n".join(printed)
