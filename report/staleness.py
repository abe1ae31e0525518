"""Which measurements are older than what they rest on.

A measurement is fresh if benchmarks/dvc.lock, which DVC writes when it has made one, has the command, the parameters
and the result that are here now, and of each dependency the hash

- that it has here, where git brings it: code, plans, the sample reviews;
- that dvc.lock has, where a stage of the product makes it, such as models/sentiment.

Real data are taken to be what they were: few people have them. So the answer hangs on files in git alone, and a fresh
clone, which has neither models nor data, gives the same one.
"""

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from report.results import MEASUREMENTS, command

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.stage import Stage

REAL = Path("data/real")


def note(measurements: Collection[str]) -> str:
    """Return a sentence in brackets on those of the measurements that are stale; none, if none is."""
    names = sorted(stale(Path.cwd()).intersection(measurements))
    if not names:
        return ""
    remedy = f"`{command(names[0])}` measures anew" if len(names) == 1 else f"`{command('NAME')}` measures one anew"
    return f"(measured before later changes of the code: {', '.join(names)}; {remedy})"


@cache
def stale(project: Path) -> frozenset[str]:
    """Return the names of the stale measurements of a project."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        made = {out.fs_path: out for stage in repo.stage.load_all(str(project / "dvc.yaml")) for out in stage.outs}
        stages = repo.stage.load_all(str(project / MEASUREMENTS))
        return frozenset(stage.name for stage in stages if _is_stale(stage, made, Path(repo.root_dir) / REAL))


def _is_stale(stage: "Stage", made: dict[str, "Output"], real: Path) -> bool:
    given = [dep for dep in stage.deps if real not in Path(dep.fs_path).parents and dep.fs_path not in made]
    return (
        stage.changed_stage()
        or any(dep.hash_info != made[dep.fs_path].hash_info for dep in stage.deps if dep.fs_path in made)
        or any(each.status() for each in [*given, *stage.outs])
    )
