"""Whether a run's files are those of its own data and parameters, by what dvc.lock recorded when they were made.

An experiment of which only some stages ran, as in `dvc exp run subsample`, keeps the others' files of the run before.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sentiment.comparison.significance import changed_parameters

Lock = Mapping[str, Mapping[str, Any]]
"""The stages of a dvc.lock by name, with deps, params and outs."""


def what_changed(path: str, lock: Lock, params: Mapping[str, Any]) -> str | None:
    """Say which stage on the way to a file has not run since what it reads changed; None if the file is fresh.

    A file that no stage makes is fresh. Code is not compared: a new comment in it changes no prediction.
    """
    made = {out["path"]: _hash(out) for stage in lock.values() for out in stage.get("outs", [])}
    makers = _makers(path, lock)
    # The lock has them in the order in which they first ran: the first that is out of date makes the others so.
    for name in filter(makers.__contains__, lock):
        deps, recorded = lock[name].get("deps", []), lock[name].get("params", {}).get("params.yaml", {})
        changed = [dep["path"] for dep in deps if made.get(dep["path"], _hash(dep)) != _hash(dep)]
        for key, value in recorded.items():
            changed += changed_parameters({key: value}, {key: _value(params, key)})
        if changed:
            return f"{name} has not run since {changed[0]} changed"
    return None


def _makers(path: str, lock: Lock) -> set[str]:
    """Return the stages that make a file, and those that make what they read."""
    queue, makers = [path], set[str]()
    while queue:
        wanted = queue.pop()
        for name, stage in lock.items():
            if name not in makers and any(_overlap(out["path"], wanted) for out in stage.get("outs", [])):
                makers.add(name)
                queue += [dep["path"] for dep in stage.get("deps", [])]
    return makers


def _value(params: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key; None where there is none."""
    value: Any = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _hash(entry: Mapping[str, Any]) -> Any:
    return entry.get(entry.get("hash", "md5"))


def _overlap(one: str, other: str) -> bool:
    """Say whether one of two paths is, or lies in, the other."""
    a, b = PurePosixPath(one), PurePosixPath(other)
    return a.is_relative_to(b) or b.is_relative_to(a)
