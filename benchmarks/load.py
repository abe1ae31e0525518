"""Load the server to its limit, kill it while it works, and check that no answer is wrong or silently lost.

Reads   models/exported/, data/subsampled/test.parquet
Writes  benchmarks/load.json    saturated: answers per second, milliseconds until one comes (median, p99), errors, wrong
                                answers, megabytes of the server's memory after a quarter of the time and at the end
                                restarted: kills, and what became of the requests: answered, failed, wrong, lost
                                both: reasons, of those that failed: the status or the client's error, and how often
                                cpu_capability: the widest instructions that the processor has for torch

    python -m benchmarks.load    (needs the packages of make test)

Each connection sends a review, waits, compares the answer with the model's own score and sends the next. In the second
part the server is killed and restarted, over and over: a request must end in the right answer or in an error that its
client sees.
"""

import asyncio
import os
import ssl
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import torch
from tqdm import tqdm

from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.serving.predictor import Predictor

EXPORTED = Path("models/exported")
TEST = Path("data/subsampled/test.parquet")
RESULTS = Path("benchmarks/load.json")
PORT = 7869
URL = f"http://127.0.0.1:{PORT}"
REVIEWS = 128
LOST = 60
"""Seconds after which an answer counts as lost."""


class Clients:
    """Connections that each send one review after the other, until they are stopped."""

    def __init__(self, connections: int, expected: dict[str, float]) -> None:
        self.connections, self.expected = connections, expected
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.milliseconds: list[float] = []
        self.going = True

    async def run(self) -> None:
        tls = ssl.create_default_context()
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for place in range(self.connections):
                # One client each: in a pool that all share, some requests would wait for seconds before they are sent.
                client = httpx.AsyncClient(base_url=URL, timeout=LOST, verify=tls)
                group.create_task(self._ask(await stack.enter_async_context(client), place))

    async def _ask(self, client: httpx.AsyncClient, place: int) -> None:
        reviews = list(self.expected)
        for turn in count(place):
            if not self.going:
                return
            outcome, milliseconds = await self._one(client, reviews[turn % len(reviews)])
            self.outcomes[outcome] += 1
            if outcome == "answered":
                self.milliseconds.append(milliseconds)
            elif outcome == "failed":
                # While the server is down, tries that fail at once would only take its time to start.
                await asyncio.sleep(1)

    async def _one(self, client: httpx.AsyncClient, review: str) -> tuple[str, float]:
        started = time.perf_counter()
        try:
            answer = await client.post("/api/v1/predict", json={"text": review})
        except httpx.TimeoutException:
            return "lost", 0.0
        except httpx.TransportError as error:
            self.reasons[type(error).__name__] += 1
            return "failed", 0.0
        if answer.status_code != httpx.codes.OK:
            self.reasons[str(answer.status_code)] += 1
            return "failed", 0.0
        (found,) = answer.json()["predictions"]
        right = abs(found["score"] - self.expected[review]) < 1e-6
        return ("answered" if right else "wrong"), 1000 * (time.perf_counter() - started)


@contextmanager
def serving() -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that limits no client: ready when the block begins, killed when it ends."""
    environment = os.environ | {"SENTIMENT_RATE": "1000000000", "SENTIMENT_THREADS": str(load_params().threads)}
    command = [sys.executable, "-m", "app", "--port", str(PORT)]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while status() != httpx.codes.OK:
            if server.poll() is not None:
                sys.exit(f"the server does not start: {' '.join(command)} says why")
            time.sleep(0.1)
        yield server
    finally:
        server.kill()
        server.wait()


def status() -> int:
    """Return the status of the server's readiness, 0 where there is no answer."""
    try:
        return httpx.get(f"{URL}/readyz").status_code
    except httpx.TransportError:
        return 0


def megabytes(server: subprocess.Popen[bytes]) -> float:
    """Return the memory that a process has now; on Linux only."""
    (line,) = (
        line
        for line in Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("VmRSS")
    )
    return int(line.split()[1]) * 1024 / 1e6


@contextmanager
def asking(clients: Clients) -> Iterator[None]:
    """Let the clients send reviews during the block; leave it when each has its last answer."""
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(asyncio.run, clients.run())
        try:
            yield
        finally:
            clients.going = False
        asked.result()


def saturate(clients: Clients, seconds: int) -> dict[str, Any]:
    memory = []
    with serving() as server, asking(clients):
        for _ in tqdm(range(seconds), desc="saturated", unit="s"):
            time.sleep(1)
            memory.append(megabytes(server))
        answered = clients.outcomes["answered"]
    return {
        "seconds": seconds,
        "connections": clients.connections,
        "answers_per_second": answered / seconds,
        "median_ms": median(clients.milliseconds),
        "p99_ms": quantiles(clients.milliseconds, n=100)[-1],
        **{name: clients.outcomes[name] for name in ("failed", "wrong", "lost")},
        "reasons": dict(clients.reasons),
        "memory_early_mb": memory[seconds // 4],
        "memory_late_mb": memory[-1],
    }


def restart(clients: Clients, kills: int) -> dict[str, Any]:
    with asking(clients):
        for kill in tqdm(range(kills), desc="restarted", unit="kill"):
            with serving():
                # At another moment of a request each time.
                time.sleep(0.5 + 0.07 * (kill % 7))
    counts = {name: clients.outcomes[name] for name in ("answered", "failed", "wrong", "lost")}
    return {"kills": kills, **counts, "reasons": dict(clients.reasons)}


def main() -> None:
    parser = ArgumentParser("load")
    parser.add_argument("--seconds", type=int, default=60, help="of the first part (60)")
    parser.add_argument("--connections", type=int, default=64, help="at a time (64)")
    parser.add_argument("--kills", type=int, default=50, help="of the second part (50)")
    arguments = parser.parse_args()
    reviews = read_parquet(TEST, ["text"])["text"].to_pylist()[:REVIEWS]
    scores = Predictor(EXPORTED, load_params().threads).score_texts(reviews).tolist()
    expected = dict(zip(reviews, scores, strict=True))
    parts = {
        "saturated": saturate(Clients(arguments.connections, expected), arguments.seconds),
        "restarted": restart(Clients(arguments.connections, expected), arguments.kills),
    }
    machine = {"threads": load_params().threads, "cpu_capability": torch.backends.cpu.get_cpu_capability()}
    write_json(RESULTS, parts | machine)
    for name, figures in parts.items():
        counts = {key: value for key, value in figures.items() if key != "reasons"} | figures["reasons"]
        print(f"{name}: " + ", ".join(f"{key} {round(value, 1):,}" for key, value in counts.items()))


if __name__ == "__main__":
    run(main, "load")
