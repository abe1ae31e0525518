"""What benchmarks/dvc.yaml says must be what the measurements do, and the product's commands must not show it."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from benchmarks import imdb, learning_curves, models, transfer
from report.results import MEASUREMENTS, measurement
from sentiment.core.params import Params
from sentiment.core.schemas import read_yaml
from tests.pipeline.test_definition import STAGES, covered, imported
from tests.project import ROOT

MADE: dict[str, dict[str, Any]] = {
    name: stage.get("do", stage) for name, stage in read_yaml(ROOT / MEASUREMENTS)["stages"].items()
}
PREPARING = ("download", "subsample", "tokenize")
SCORING = (*PREPARING, "train", "evaluate")
TRAINING = (*SCORING, "download_cross", "cross_dataset_evaluate")
BESIDE_RIVALS = (*TRAINING, "baseline", "cross_dataset_baseline")
STARTED: dict[str, tuple[str, ...]] = {
    "folds": SCORING,
    "imdb": BESIDE_RIVALS,
    "models": TRAINING,
    "preparing": ("subsample", "tokenize"),
    "seeds": TRAINING,
    "soak": tuple(STAGES),
    "speeds": tuple(STAGES),
    "transfer": BESIDE_RIVALS,
    "unequal_classes": SCORING,
}
"""The stages of the product that a measurement runs."""
MODULES = {"load": ["app/__main__.py"], "workers": ["sentiment/predict.py"]}
"""What else it runs."""
PACKAGES = {"app", "sentiment", "stages"}
PLANS = {
    "imdb": imdb.RECIPES,
    "learning_curves": learning_curves.PLAN,
    "models": models.VARIANTS,
    "transfer": transfer.ROWS,
}


def commands(name: str) -> list[str]:
    command = MADE[name]["cmd"]
    return [command] if isinstance(command, str) else command


def needed(name: str) -> set[Path]:
    """Return the modules that a measurement imports, and those of what it starts."""
    modules = [command.split()[2].replace(".", "/") + ".py" for command in commands(name)]
    modules += [f"stages/{stage}.py" for stage in STARTED.get(name, ())] + MODULES.get(name, [])
    return set().union(*(imported(Path(module)) for module in modules))


def code(name: str) -> set[Path]:
    paths = {Path(dep) for dep in MADE[name]["deps"]}
    return {path for path in paths if path.suffix == ".py" or (path.suffix == "" and path.parts[0] in PACKAGES)}


@pytest.mark.parametrize("name", MADE)
def test_a_measurement_depends_on_every_module_that_it_runs_and_on_no_other(name: str) -> None:
    modules = needed(name)

    assert len(modules) > 3
    assert sorted(module for module in modules if not covered(module, code(name))) == []
    assert sorted(dep for dep in code(name) if not any(covered(module, {dep}) for module in modules)) == []


@pytest.mark.parametrize("name", MADE)
def test_a_measurement_depends_on_its_plan_and_on_the_packages(name: str) -> None:
    deps = MADE[name]["deps"]

    assert "requirements.txt" in deps
    assert name not in PLANS or PLANS[name].as_posix() in deps
    assert MADE[name]["desc"].endswith(".")


def keys(section: str) -> set[str]:
    """Return the dotted names of the parameters in a section, which may be one of them."""
    value = getattr(Params.model_fields[section.split(".", maxsplit=1)[0]].annotation, "model_fields", None)
    return {f"{section}.{name}" for name in value} if value and "." not in section else {section}


@pytest.mark.parametrize("name", sorted(PLANS.keys() & STARTED.keys()))
def test_a_parameter_that_a_plan_does_not_set_is_one_that_its_measurement_depends_on(name: str) -> None:
    read = {key for stage in STARTED[name] for section in STAGES[stage]["params"] for key in keys(section)}
    declared = {key for section in MADE[name]["params"] for key in keys(section)}
    # The modules set the further datasets, the plans' rows the first; no other place is told of a training.
    fixed = {*read_yaml(ROOT / PLANS[name])["base"], "cross_datasets", "dataset", "train.report_to"}

    assert sorted(read - declared - fixed) == []


def test_every_result_is_named_after_its_stage_and_kept_in_git_as_no_metric() -> None:
    with Repo(ROOT) as repo:
        outs = [out for stage in repo.stage.load_all(str(ROOT / MEASUREMENTS)) for out in stage.outs]
        made = {Path(out.fs_path).relative_to(ROOT).as_posix(): out for out in outs}
        shown = {Path(out.fs_path).relative_to(ROOT).parts[0] for out in repo.index.metrics}
    listed = subprocess.run(
        ["git", "ls-files", "benchmarks/*.json"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert {file: measurement(file) for file in made} == {file: out.stage.name for file, out in made.items()}
    assert not any(out.use_cache or out.metric for out in outs)
    assert set(listed.stdout.split()) <= set(made), "no stage makes it"
    assert shown == {"metrics"}


def test_every_measurement_that_a_document_names_is_a_stage() -> None:
    with Repo(ROOT) as repo:
        stages = {stage.name for stage in repo.stage.load_all(str(ROOT / MEASUREMENTS))}
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    named = {name for text in texts for name in re.findall(r"benchmarks/dvc\.yaml:([\w@]+)", text)} - {"NAME"}

    assert named
    assert named <= stages
