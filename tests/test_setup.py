"""What `make run` sets up: with which Python, and which build of torch; every other package stays out of it."""

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from report.licences import pins
from tests.conftest import ROOT

TORCH = pins(ROOT / "requirements.txt")["torch"]
SET_UP = ".venv/run.stamp"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder to set up, which needs torch and nothing else."""
    folder = tmp_path / "checkout"
    (folder / "report").mkdir(parents=True)
    (folder / "report/vega.py").touch()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.txt").write_text(f"torch=={TORCH}              # via -r requirements.in, peft\n")
    return folder


def make(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run make with what pip itself comes with, and return the exit code and all that it said."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "TORCH"))}
    done = subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=inherited | {"PIP_CONFIG_FILE": os.devnull} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("version", ["3.10.12", "3.15.0"])
def test_a_python_that_is_too_old_or_too_new_is_refused(checkout: Path, tmp_path: Path, version: str) -> None:
    python = tmp_path / "python3"
    numbers = version.replace(".", ", ")
    python.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo Python {version} && exit\n'
        f'exec {sys.executable} -c "import sys; sys.version_info = ({numbers}); $2"\n'
    )
    python.chmod(0o755)

    code, said = make(checkout, SET_UP, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert code == 2
    assert f"Python 3.11 to 3.14 is needed, but 'python3 --version' says: Python {version}\n" in said
    assert "name it: make run PYTHON=python3.12\n" in said
    assert not (checkout / ".venv").exists()


def test_where_there_is_no_python_that_is_said(checkout: Path) -> None:
    code, said = make(checkout, SET_UP, "PYTHON=python3.99")

    assert code == 2
    assert "Python 3.11 to 3.14 is needed, but 'python3.99 --version' says: " in said
    assert not (checkout / ".venv").exists()


def test_a_build_of_torch_needs_the_address_of_its_index(checkout: Path) -> None:
    code, said = make(checkout, SET_UP, "TORCH=cpu")

    assert code == 2
    assert "TORCH=cpu needs TORCH_INDEX=ADDRESS: PyTorch's installation page names it" in said
    assert not (checkout / ".venv").exists()


def wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    """Write a package that has no content."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    facts = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {need}" for need in needs),
    ]
    kind = ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    with zipfile.ZipFile(place / f"{stem}-py3-none-any.whl", "w") as file:
        for part, lines in {"METADATA": facts, "WHEEL": kind, "RECORD": []}.items():
            file.writestr(f"{stem}.dist-info/{part}", "".join(f"{line}\n" for line in lines))


@pytest.fixture
def indexes(tmp_path: Path) -> Iterator[str]:
    """Serve the package index, `all`, and an index for each of two builds of torch; yield the address above them."""
    folder = tmp_path / "indexes"
    wheel(folder / "all", "torch", TORCH, "needed-for-gpus")
    wheel(folder / "all", "needed-by-torch", "1")
    for build in ("cpu", "cu126"):
        for version in (TORCH, f"{TORCH}+{build}", f"99.0+{build}"):
            wheel(folder / build, "torch", version, "needed-by-torch")
        wheel(folder / build, "needed-by-torch", "2")
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_the_build_of_torch_that_was_asked_for_is_installed_and_stays(checkout: Path, indexes: str) -> None:
    def set_up(*arguments: str) -> list[str]:
        code, said = make(checkout, SET_UP, *arguments, PIP_INDEX_URL=f"{indexes}/all")
        assert code == 0, said
        return sorted(path.stem for path in checkout.glob(".venv/lib/python*/site-packages/*torch-*.dist-info"))

    needed = "needed_by_torch-1"
    assert set_up("TORCH=cpu", f"TORCH_INDEX={indexes}/cpu") == [needed, f"torch-{TORCH}+cpu"]
    (checkout / "requirements.txt").touch()
    assert set_up() == [needed, f"torch-{TORCH}+cpu"]
    assert set_up("TORCH=cu126", f"TORCH_INDEX={indexes}/cu126") == [needed, f"torch-{TORCH}+cu126"]
    code, said = make(checkout, SET_UP)
    assert (code, said) == (0, f"make: '{SET_UP}' is up to date.\n")
