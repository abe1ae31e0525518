"""What dvc.yaml and dvc.lock say must be what the code does."""

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from sentiment.core.params import Params
from sentiment.core.schemas import read_yaml

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = read_yaml(ROOT / "dvc.yaml")
LOCK = read_yaml(ROOT / "dvc.lock")
STAGES = DEFINITION["stages"]


def imported(module: Path) -> set[Path]:
    """Return a module with those of the project that it imports, at any depth of its code and through other modules.

    With each module comes the `__init__.py` of every package that it lies in, as Python runs those first.
    """
    found: set[Path] = set()
    queue = [module]
    while queue:
        file = queue.pop()
        if file in found or not (ROOT / file).is_file():
            continue
        found.add(file)
        queue.extend(folder / "__init__.py" for folder in file.parents)
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, "relative imports would hide a dependency from this test"
                names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for name in names:
                path = Path(name.replace(".", "/"))
                queue += [path.with_suffix(".py"), path / "__init__.py"]
    return found


def code(name: str) -> set[Path]:
    """Return those of a stage's dependencies that are modules or packages."""
    paths = {Path(dep) for dep in STAGES[name]["deps"]}
    return {path for path in paths if path.suffix == ".py" or (ROOT / path / "__init__.py").is_file()}


def covered(module: Path, deps: set[Path]) -> bool:
    """Say whether a module is among these modules and packages, or lies in one of the packages."""
    return not deps.isdisjoint({module, *module.parents})


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_every_module_that_it_imports(name: str) -> None:
    needed = imported(Path(f"stages/{name}.py"))

    assert len(needed) > 5
    assert sorted(module for module in needed if not covered(module, code(name))) == []


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_no_code_that_it_does_not_import(name: str) -> None:
    needed = imported(Path(f"stages/{name}.py"))

    assert sorted(dep for dep in code(name) if not any(covered(module, {dep}) for module in needed)) == []


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_names_a_package_where_it_uses_two_or_more_of_its_modules_else_the_module(name: str) -> None:
    used = Counter(module.parent for module in imported(Path(f"stages/{name}.py")) if module.name != "__init__.py")
    packages = {package for package, modules in used.items() if modules > 1 and package.parts[:-1] == ("sentiment",)}

    assert {dep for dep in code(name) if dep.suffix != ".py"} == packages
    assert [dep for dep in code(name) if covered(dep.parent, packages)] == []


@pytest.mark.parametrize(("file", "longest"), [("dvc.yaml", 460), ("dvc.lock", 2000)])
def test_the_pipeline_is_short_enough_to_read(file: str, longest: int) -> None:
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) <= longest


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

    assert declared == set(Params.model_fields)


@pytest.fixture(scope="module")
def changed() -> dict[str, dict[str, Any]]:
    """Return, for each stage, what DVC says of its parameters and of those dependencies that no stage makes."""
    with Repo(ROOT) as repo:
        stages = repo.stage.load_all("dvc.yaml")
        made = {Path(out.fs_path) for stage in stages for out in stage.outs}
        return {
            stage.addressing: {
                path: how
                for dep in stage.deps
                if not covered(Path(dep.fs_path), made)
                for path, how in dep.status().items()
            }
            for stage in stages
        }


@pytest.mark.parametrize("name", LOCK["stages"])
def test_the_committed_lock_is_up_to_date(name: str, changed: dict[str, dict[str, Any]]) -> None:
    """Every dependency that is in git has the hash, every parameter the value, that dvc.lock recorded."""
    entry, stage = LOCK["stages"][name], STAGES[name]

    assert not changed[name], f"{', '.join(changed[name])} changed after dvc.lock was written: dvc repro"
    assert entry["cmd"] == stage["cmd"]
    assert {dep["path"] for dep in entry["deps"]} == set(stage["deps"])
    assert set(entry.get("params", {}).get("params.yaml", {})) == set(stage.get("params", []))


def test_the_lock_has_every_stage_and_no_other() -> None:
    assert set(LOCK["stages"]) == set(STAGES)


def test_tracked_metrics_are_those_that_the_lock_recorded() -> None:
    with Repo(ROOT) as repo:
        outs = [out for stage in repo.stage.load_all("dvc.yaml") for out in stage.outs]
        found = {str(out): out.status() for out in outs if not out.use_cache}

    assert len(found) > 10
    assert {out: status for out, status in found.items() if status} == {}
