"""The image is built and started step by step, without an engine, and holds nothing but what serving needs."""

import json
import re
import shutil
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from deploy import space
from sentiment.core.errors import UserError
from sentiment.serving.predictor import Predictor
from tests.conftest import ROOT
from tests.deploy.replay import Stage, build, command_of, instructions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

TRAINING = {"torch", "transformers", "datasets", "accelerate", "scikit-learn", "scipy", "dvc", "onnx", "safetensors"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PINNED = re.compile(r"[\w.-]+==[\w.]+ +# via .+")


@pytest.fixture(scope="module")
def project(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a clone is after `dvc repro`, with a tiny model."""
    folder = tmp_path_factory.mktemp("deploy") / "project"
    shutil.copytree(exported, folder / "models" / "exported")
    (folder / "models" / "tokenizers").mkdir()
    shutil.copyfile(exported / "tokenizer.json", folder / "models" / "tokenizers" / "tiny.json")
    for name in (
        ".dockerignore",
        "Dockerfile",
        "LICENSE",
        "requirements-app.txt",
        "requirements-scale.txt",
        "app",
        "deploy",
        "metrics",
        "sentiment",
    ):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="module")
def image(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """What is built from those files that .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("deploy")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        space.copy(folder / "context")
    return build(folder / "context", folder / "stages")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def server(image: Stage, port: int) -> "Iterator[int]":
    """The port of a server that the image's command started, and that the image's check found healthy."""
    process = image.start(command_of(image.settings["CMD"]), PORT=str(port))
    deadline = time.monotonic() + 120
    while not healthy(image, port):
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline, "it does not become healthy"
    yield port
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def healthy(image: Stage, port: int) -> bool:
    check = image.settings["HEALTHCHECK"].partition(" CMD ")[2]
    process = image.start(command_of(check), PORT=str(port))
    process.communicate()
    return process.returncode == 0


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_the_replayed_image_answers_as_the_model_does_and_writes_to_tmp_alone(
    image: Stage, server: int, exported: Path, toy_reviews: "pa.Table"
) -> None:
    before = files(image.root)
    texts = toy_reviews["text"].to_pylist()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server}/api/v1/predict",
        json.dumps({"texts": texts}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)

    expected = [label for label, _ in Predictor(exported).predict(texts)]
    assert [prediction["sentiment"] for prediction in answer["predictions"]] == expected
    assert {path for path in files(image.root) - before if path.parts[0] != "tmp"} == set()


@pytest.mark.slow
def test_what_is_not_healthy_fails_the_check(image: Stage, port: int) -> None:
    assert not healthy(image, port)


def test_the_image_runs_as_a_numbered_user_that_is_not_root() -> None:
    users = [arguments for name, arguments in instructions(DOCKERFILE) if name == "USER"]

    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0])


@pytest.mark.slow
def test_the_image_has_the_model_and_what_reads_it_but_nothing_of_the_training(image: Stage, exported: Path) -> None:
    found = files(image.place("."))

    models = {path.relative_to("models").as_posix() for path in found if path.parts[0] == "models"}
    names = (path.relative_to(exported).as_posix() for path in exported.rglob("*.*"))
    assert models == {"tokenizers/tiny.json", *(f"exported/{name}" for name in names)}
    assert {path.parts[0] for path in found} <= {path.parts[0] for path in space.contents()}
    packages = {path.name.lower().replace("_", "-") for path in image.root.glob("venv/lib/python*/site-packages/*")}
    assert "onnxruntime" in packages
    assert not packages & TRAINING


def test_what_a_server_installs_is_pinned_and_free_of_torch() -> None:
    lines = (ROOT / "requirements-app.txt").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert not {line.partition("==")[0] for line in lines} & TRAINING


def test_the_image_starts_from_the_python_that_the_project_asks_for_at_least() -> None:
    bases = {arguments.split()[0] for name, arguments in instructions(DOCKERFILE) if name == "FROM"}

    assert bases == {"python:3.11-slim"}
    assert sys.version_info >= (3, 11)


@pytest.mark.slow
def test_a_space_has_all_of_the_image_and_tells_the_hub_how_it_is_run(
    project: Path, image: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    space.main()

    assert files(project / "space") - {Path("README.md")} == {
        path for path in files(image.place(".")) if "__pycache__" not in path.parts
    }
    head = (project / "space" / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    settings = YAML(typ="safe").load(head)

    assert settings["sdk"] == "docker"
    assert settings["app_port"] == int(image.settings["EXPOSE"]) == int(image.environment["PORT"])
    assert len(settings["short_description"]) <= 60


def test_a_space_is_not_built_without_a_model(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(project, tmp_path / "project", symlinks=True)
    shutil.rmtree(folder / "models")
    shutil.rmtree(folder / "space", ignore_errors=True)
    monkeypatch.chdir(folder)

    with pytest.raises(UserError, match="models/exported is missing: dvc repro makes it, or git checkout restores it"):
        space.main()
    assert not (folder / "space").exists()


def test_the_composed_service_can_write_nowhere_but_to_tmp_and_is_limited() -> None:
    service = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]["sentiment"]

    assert service["read_only"] is True
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert "volumes" not in service
    assert {"cpus", "mem_limit", "pids_limit"} <= service.keys()


@pytest.mark.parametrize("file", ["sentiment.service", "nginx.conf", "Caddyfile"])
def test_every_way_to_the_server_names_the_port_that_it_has(file: str) -> None:
    (port,) = re.findall(r"\bPORT=(\d+)", DOCKERFILE)
    ports = re.findall(r"(?:127\.0\.0\.1:|--port )(\d+)", (ROOT / "deploy" / file).read_text(encoding="utf-8"))

    assert ports == [port]
