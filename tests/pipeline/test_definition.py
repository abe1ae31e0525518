"""What dvc.yaml and dvc.lock say must be what the code does."""

import ast
import hashlib
from pathlib import Path
from typing import Any

import pytest

from sentiment.core.schemas import read_yaml
from sentiment.params import Params

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = read_yaml(ROOT / "dvc.yaml")
LOCK = read_yaml(ROOT / "dvc.lock")
STAGES = {name: stage.get("do", stage) for name, stage in DEFINITION["stages"].items()}


def imported(module: Path) -> set[Path]:
    """Return the project's modules that this one imports, at any depth of its code and through other modules."""
    found: set[Path] = set()
    queue = [module]
    while queue:
        tree = ast.parse((ROOT / queue.pop()).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, "relative imports would hide a dependency from this test"
                names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            files = {Path(name.replace(".", "/") + ".py") for name in names}
            new = {file for file in files if (ROOT / file).is_file()} - found
            found |= new
            queue.extend(new)
    return found


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_exactly_the_modules_that_it_imports(name: str) -> None:
    module = Path(f"stages/{name}.py")
    declared = {Path(dep) for dep in STAGES[name]["deps"] if dep.endswith(".py")}

    assert declared == imported(module) | {module}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_described_and_depends_on_the_requirements(name: str) -> None:
    stage = STAGES[name]

    assert stage["desc"].endswith(".")
    assert "requirements.txt" in stage["deps"]
    assert stage["cmd"].startswith(f"python -m stages.{name}")


@pytest.mark.parametrize("name", STAGES)
def test_no_output_switches_the_run_cache_off(name: str) -> None:
    for out in STAGES[name].get("outs", []):
        assert isinstance(out, str), (
            f"{out}: an output with flags (cache: false, persist) is not restored from the cache"
        )


@pytest.mark.parametrize("name", STAGES)
def test_metrics_and_plots_are_kept_in_git(name: str) -> None:
    for out in [*STAGES[name].get("metrics", []), *STAGES[name].get("plots", [])]:
        (flags,) = out.values()
        assert flags["cache"] is False


def test_every_section_of_the_parameters_is_a_dependency_of_a_stage() -> None:
    declared = {str(key).split(".")[0] for stage in STAGES.values() for key in stage.get("params", [])}

    assert declared | {"cross_datasets"} == set(Params.model_fields)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def lookup(params: dict[str, Any], dotted: str) -> Any:
    for key in dotted.split("."):
        params = params[key]
    return params


@pytest.mark.parametrize("name", LOCK["stages"])
def test_the_committed_lock_is_up_to_date(name: str) -> None:
    """Every dependency that is in git has the hash, every parameter the value, that dvc.lock recorded."""
    entry = LOCK["stages"][name]
    stage = STAGES[name.partition("@")[0]]

    for dep in entry["deps"]:
        path = ROOT / dep["path"]
        if path.suffix in {".py", ".yaml", ".txt"} or path.name == "sample_reviews.parquet":
            assert dep["md5"] == md5(path), f"{dep['path']} changed after dvc.lock was written: dvc repro"
    dataset = name.partition("@")[2]
    assert entry["cmd"] == stage["cmd"].replace("${item}", dataset)
    assert {dep["path"] for dep in entry["deps"]} == {dep.replace("${item}", dataset) for dep in stage["deps"]}
    assert set(entry.get("params", {}).get("params.yaml", {})) == set(stage.get("params", []))
    params = read_yaml(ROOT / "params.yaml")
    for key, value in entry.get("params", {}).get("params.yaml", {}).items():
        assert lookup(params, key) == value, f"{key} changed after dvc.lock was written: dvc repro"


def test_the_lock_has_every_stage_and_no_other() -> None:
    cross = read_yaml(ROOT / "params.yaml")["cross_datasets"]
    expected = {
        f"{name}@{dataset}" if "foreach" in stage else name
        for name, stage in DEFINITION["stages"].items()
        for dataset in (cross if "foreach" in stage else [""])
    }

    assert set(LOCK["stages"]) == expected


def test_tracked_metrics_are_those_that_the_lock_recorded() -> None:
    uncached = {
        path
        for stage in STAGES.values()
        for out in [*stage.get("metrics", []), *stage.get("plots", [])]
        for path in out
    }
    tracked = {
        path.replace("${item}", dataset)
        for path in uncached
        for dataset in read_yaml(ROOT / "params.yaml")["cross_datasets"]
    }
    recorded = {out["path"]: out["md5"] for entry in LOCK["stages"].values() for out in entry["outs"]}

    assert tracked
    for path in tracked:
        assert md5(ROOT / path) == recorded[path], f"{path} is not the one that dvc.lock recorded"
