"""Measure how OpenMP's threads should wait: training steps per second on a quiet machine and beside busy processes.

Reads   params.yaml, models/pretrained/ (make run)
Writes  benchmarks/waiting.json    per way to wait: steps per second, and how many times the library's own they are

    python -m benchmarks.waiting    (with nothing else running; a few minutes)

Every way has a process of its own, as the library reads it when it is loaded. All live through the whole measurement
and are asked in turn, so that what slows the machine down slows all of them.
"""

import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.recipes import PRETRAINED
from benchmarks.timing import arithmetic, ratio, spread, turns
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.model import device
from sentiment.text.encoding import load_tokenizer
from sentiment.training.build import build

RESULTS = Path("benchmarks/waiting.json")
WAYS = {
    # What libgomp takes where nothing is set, for as many threads as there are cores.
    "300,000 loops, the library's own": {"GOMP_SPINCOUNT": "300000"},
    "10,000 loops": {"GOMP_SPINCOUNT": "10000"},
    "1,000 loops": {"GOMP_SPINCOUNT": "1000"},
    "100 loops": {"GOMP_SPINCOUNT": "100"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
}
BUSY = {"quiet": 0, "beside two busy processes": 2}
ROUNDS = 5
SECONDS = 5
"""How long a way is timed at once."""
TOKENS = 96


def work() -> None:
    """Train on made-up reviews of the default's shape for some seconds whenever a line comes in; print steps/s."""
    params = load_params()
    torch.set_num_threads(params.threads)
    model = build(PRETRAINED, load_tokenizer(PRETRAINED), params.train).train()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], fused=True)
    ids = torch.randint(1000, 20_000, (params.train.batch_size, TOKENS))
    labels = torch.arange(params.train.batch_size) % 2

    def step() -> None:
        with device.autocast(model.device, device.arithmetic(params.precision, model.device)):
            loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(3):
        step()
    for _ in sys.stdin:
        steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < SECONDS:
            step()
            steps += 1
        print(steps / (time.perf_counter() - started), flush=True)


@contextmanager
def worker(way: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that waits in this way; it ends with its input."""
    command = [sys.executable, "-m", "benchmarks.waiting", "--work"]
    unset = {name: value for name, value in os.environ.items() if not name.startswith(("GOMP_", "OMP_", "KMP_"))}
    with subprocess.Popen(
        command, env=unset | way, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processors busy for a while."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def speed(process: subprocess.Popen[str]) -> float:
    """Let the worker train for some seconds and return its steps per second."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    parser = ArgumentParser("waiting", description="Measure how OpenMP's threads should wait.")
    parser.add_argument("--work", action="store_true", help="be one of the processes that are measured")
    if parser.parse_args().work:
        work()
        return
    speeds: dict[str, dict[str, list[float]]] = {load: {name: [] for name in WAYS} for load in BUSY}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(worker(way)) for name, way in WAYS.items()}
        for process in workers.values():
            speed(process)
        for repetition in tqdm(range(ROUNDS), unit="round"):
            for load, processes in BUSY.items():
                with busy(processes):
                    for name, process in turns(workers, repetition):
                        speeds[load][name].append(speed(process))
    first = next(iter(WAYS))
    results: dict[str, Any] = {
        load: {
            name: {"steps_per_second": spread(found), "ratio": ratio(found, measured[first])}
            for name, found in measured.items()
        }
        for load, measured in speeds.items()
    }
    write_json(RESULTS, {"arithmetic": arithmetic(), "cores": os.cpu_count(), "loads": results})
    for load, measured in results.items():
        print(f"{load}: " + ", ".join(f"{name} {found['ratio']['median']:.2f}" for name, found in measured.items()))


if __name__ == "__main__":
    run(main, "waiting")
