"""What the project is made of: everything is pinned and audited."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from report.licences import PARTS, pins
from tests.audit import UNREACHED, verdict

ROOT = Path(__file__).resolve().parents[1]
ALL = {canonicalize_name(name): version for file in PARTS for name, version in pins(ROOT / file).items()}
LEFT_TO_OTHERS = re.compile(r"nvidia-.*|cuda-.*|triton|setuptools|pip")
"""What torch's builds for GPUs pin themselves, and what every environment brings along."""


@pytest.mark.parametrize("file", PARTS)
def test_every_line_of_a_lock_file_pins_one_version(file: str) -> None:
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]

    assert [line for line in lines if line and not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


@pytest.mark.parametrize("file", PARTS)
def test_a_lock_file_has_what_was_asked_for(file: str) -> None:
    asked = pins((ROOT / file).with_suffix(".in"))

    assert asked.items() <= pins(ROOT / file).items() | {("ruamel.yaml", pins(ROOT / file).get("ruamel-yaml", ""))}


@pytest.mark.parametrize("name", sorted(ALL))
def test_what_a_pinned_package_needs_is_pinned_too(name: str) -> None:
    try:
        required = distribution(name).requires or []
    except PackageNotFoundError:
        pytest.fail(f"{name} is pinned but not installed")
    needs = [Requirement(line) for line in required]
    needs = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    names = {canonicalize_name(need.name) for need in needs}

    assert {need for need in names if not LEFT_TO_OTHERS.fullmatch(need)} <= set(ALL)


def test_one_package_has_one_version_in_all_lock_files() -> None:
    for file in PARTS:
        for name, version in pins(ROOT / file).items():
            assert ALL[canonicalize_name(name)] == version


FINE: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
FLAWED = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1", "3"]}]}
SKIPPED = {"name": "c", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        ([FINE], None),
        ([FINE, FLAWED], "b 2: PYSEC-1, fixed in 2.1, 3"),
        ([FINE, SKIPPED], "the index has no advisories for c"),
        ([SKIPPED], UNREACHED),
        ([], UNREACHED),
    ],
)
def test_an_audit_says_what_it_found_and_never_passes_without_having_asked(packages: list[Any], expected: str) -> None:
    assert verdict({"dependencies": packages}) == expected
