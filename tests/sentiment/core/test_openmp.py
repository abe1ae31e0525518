import os
import subprocess
import sys
from pathlib import Path

from sentiment.core.openmp import WAITING, wait_briefly

ROOT = Path(__file__).resolve().parents[3]


def test_threads_wait_briefly_unless_the_user_chose_otherwise() -> None:
    for chosen in ({}, {"GOMP_SPINCOUNT": "5"}, {"KMP_BLOCKTIME": "infinite"}):
        environment = dict(chosen)
        wait_briefly(environment)
        assert environment == WAITING | chosen


def test_a_policy_of_the_users_stays_alone() -> None:
    environment = {"OMP_WAIT_POLICY": "ACTIVE"}
    wait_briefly(environment)
    assert environment == {"OMP_WAIT_POLICY": "ACTIVE"}


def test_a_command_and_a_benchmark_set_it_before_torch_is_loaded(tmp_path: Path) -> None:
    code = """
import importlib.abc, os, sys

class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"))
            sys.exit()

sys.meta_path.insert(0, Watch())
"""
    command = "from sentiment.core.command import run\nrun(lambda: __import__('torch'), 'test')"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GOMP_", "OMP_"))}
    environment["PYTHONPATH"] = str(ROOT)
    for start in (command, "import benchmarks.timing"):
        done = subprocess.run(
            [sys.executable, "-c", code + start],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[0] == WAITING["GOMP_SPINCOUNT"]
