"""Jobs as plain tasks of Ray: in workers on this machine, or on the cluster that RAY_ADDRESS names.

Ray Data and its actors are not used: a file is the unit that is scored again after a fault, and this keeps it so.
"""

import os
import signal
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sentiment.core.errors import UserError, reason
from sentiment.core.files import sha256
from sentiment.scoring.directory import Workers
from sentiment.scoring.jobs import Job
from sentiment.scoring.perform import attempt
from sentiment.scoring.places import is_remote
from sentiment.scoring.progress import Progress
from sentiment.scoring.records import Record
from sentiment.scoring.table import Options, Scorer
from sentiment.serving.predictor import Predictor

ADDRESS = "RAY_ADDRESS"
TRIES = 3
"""How often a job is begun whose worker dies."""
QUEUED = 2
"""Tasks per worker that wait or run: a worker has its next one at hand, and a killed driver leaves few behind."""
STORE = 100 * 1024 * 1024
"""Bytes of Ray's object store on this machine; only the model goes through it."""
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # By default, a task whose worker ran out of memory is tried again without end.
    "RAY_task_oom_retries": str(TRIES - 1),
}
"""Read by Ray when it is loaded."""
HERE = {
    # Workers are as nice to other work as the command is; by default they would be nicer.
    "RAY_worker_niceness": "0",
}
"""Read by Ray's processes on this machine when they start."""


@dataclass(frozen=True)
class Shipped:
    """A model on its way to workers that may not see its folder: its sha256, and where Ray has its files."""

    digest: str
    folder: Path
    files: Any = field(compare=False)


@contextmanager
def _connected(workers: int | None) -> Iterator[None]:
    """Start Ray on this machine, or connect to the cluster that RAY_ADDRESS names, until the block ends."""
    address = os.environ.get(ADDRESS)
    for name, value in (SETTINGS if address else SETTINGS | HERE).items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError(
            f"--workers and {ADDRESS} need Ray: pip install --requirement requirements-scale.txt; without either, one "
            "process scores"
        ) from None
    from sentiment.scoring.reaper import reaping

    terminate = signal.getsignal(signal.SIGTERM)
    if address:
        _connect(address)
    else:
        _start(workers)
    # Ray puts a handler of its own in its place, which would leave without a word.
    signal.signal(signal.SIGTERM, terminate)
    # A cluster's processes are not this one's.
    with nullcontext() if address else reaping():
        try:
            yield
        finally:
            ray.shutdown()


def _connect(address: str) -> None:
    import ray

    # The cluster has the packages, but not this project.
    code = {"py_modules": [str(Path(__file__).parents[1])]}
    try:
        # Ray would try for some quarter of an hour.
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if port.isdigit():
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address=address, runtime_env=code, **QUIET)
    except Exception as error:  # it raises nothing more special
        raise UserError(f"no cluster answers at {address}, which {ADDRESS} names: {reason(error)}") from None


def _start(workers: int | None) -> None:
    import ray

    from sentiment.scoring.reaper import end_children, mark

    mark()
    for left in reversed(range(TRIES)):
        try:
            ray.init("local", num_cpus=workers, include_dashboard=False, object_store_memory=STORE, **QUIET)
            return
        except Exception as error:  # it raises nothing more special
            # On a busy machine its processes may not be there within the half minute it gives them, and stay.
            end_children()
            if not left:
                raise UserError(
                    f"Ray does not start: {reason(error)}; where the machine is too busy, leave --workers out"
                ) from None


@contextmanager
def in_workers(options: Options, key: str, model: Path, workers: int | None) -> Iterator[Workers]:
    """Yield what does jobs in workers of Ray.

    Raises UserError where Ray is not installed, does not start or does not answer, and for an unusable model.
    """
    with _connected(workers):
        yield _workers(options, key, model, workers)


def _workers(options: Options, key: str, model: Path, workers: int | None) -> Workers:
    import ray

    files = {path.relative_to(model).as_posix(): path.read_bytes() for path in model.rglob("*") if path.is_file()}
    shipped = Shipped(sha256(model), model, ray.put(files))
    if fault := ray.get(ray.remote(max_retries=TRIES - 1)(_fault).remote(shipped)):
        raise UserError(fault)
    task = ray.remote(num_cpus=1, max_retries=TRIES - 1)(_do)

    cluster = bool(os.environ.get(ADDRESS))

    def room() -> int:
        # On a cluster, which may grow, a number of workers is one of tasks at a time.
        if workers:
            return workers if cluster else QUEUED * workers
        return QUEUED * max(1, int(ray.cluster_resources().get("CPU", 1)))

    def work(todo: deque[Job], progress: Progress) -> Iterator[tuple[Job, Record | str]]:
        waiting: dict[Any, Job] = {}
        while todo or waiting:
            while todo and len(waiting) < room():
                job = todo.popleft()
                # Elsewhere, names are read from another folder.
                waiting[task.remote(_absolute(job) if cluster else job, options, key, shipped)] = job
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(ready)
            try:
                found: Record | str = ray.get(ready)
            except ray.exceptions.RayTaskError as error:
                found = f"{type(error.cause).__name__}: {reason(error.cause)}"
            except ray.exceptions.RayError as error:
                kind = type(error).__name__
                found = f"its worker died {TRIES} times ({kind}): a text may need more memory than there is"
            if isinstance(found, Record) and not job.pieces:
                progress.scored(found.rows)
            yield job, found

    return work


def _absolute(job: Job) -> Job:
    source, output = (name if is_remote(name) else str(Path(name).absolute()) for name in (job.source, job.output))
    return replace(job, source=source, output=output, pieces=tuple(map(_absolute, job.pieces)))


def _do(job: Job, options: Options, key: str, shipped: Shipped) -> Record | str:
    return attempt(job, options, key, Scorer(_predictor(shipped)))


def _fault(shipped: Shipped) -> str | None:
    """Say why a worker can't load the model, or return None."""
    try:
        _predictor(shipped)
    except UserError as error:
        return str(error)
    return None


@lru_cache(maxsize=1)
def _predictor(shipped: Shipped) -> Predictor:
    import ray

    with TemporaryDirectory() as place:
        for name, content in ray.get(shipped.files).items():
            path = Path(place, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            return Predictor(Path(place))
        except UserError as error:
            raise UserError(str(error).replace(place, str(shipped.folder))) from None
