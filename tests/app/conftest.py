"""Servers and a browser for the tests of the app."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from app.server import build
from app.settings import PREFIX, Settings
from sentiment.core.files import write_json
from sentiment.serving.predictor import Predictor
from sentiment.text.normalization import without_normalization
from tests.app.visit import Visit
from tests.conftest import ROOT, export_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from sentiment.text.encoding import Padding

SCRIPT = "<script>alert(1)</script>"
FACTS = {"vocabulary": 77, "accuracy": 0.75}


@pytest.fixture(scope="session")
def settings(
    trained_once: Path, encoded: pa.Table, padding: "Padding", tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a server with the tiny model, some metrics, and a second tokenizer beside the model's own."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    from sentiment.model.loading import load
    from sentiment.training.calibration import divide_logits

    folder = tmp_path_factory.mktemp("served")
    (folder / "metrics" / "cross").mkdir(parents=True)
    (folder / "tokenizers").mkdir()
    evaluated = {"accuracy": 0.875, "accuracy_low": 0.8, "accuracy_high": 0.9, "f1": 0.8, "n": 100}
    (folder / "metrics" / "evaluate.json").write_text(json.dumps(evaluated))
    (folder / "metrics" / "cross" / "books.json").write_text(json.dumps(evaluated))
    (folder / "metrics" / "tokenizers.json").write_text(json.dumps({"tokenizers": {"tiny": FACTS, "whole": FACTS}}))
    model = load(trained_once)
    # A tiny model is never sure; with this it is, here and there.
    divide_logits(model, 0.1)
    export_model(model, trained_once, folder / "model", encoded, padding)
    write_json(folder / "model" / "decision.json", {"threshold": 0.45, "low": 0.3, "high": 0.8})
    tiny = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    without_normalization(tiny)
    tiny.save(str(folder / "tokenizers" / "tiny.json"))
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "Superb": 1, SCRIPT: 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(folder / "tokenizers" / "whole.json"))
    (folder / "model" / "README.md").write_text("---\nlicense: cc0\n---\n# Tiny\n\nKnows a few words.\n")
    return Settings(model=folder / "model", metrics=folder / "metrics", tokenizers=folder / "tokenizers", threads=1)


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(build(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def predictor(settings: Settings) -> Predictor:
    return Predictor(settings.model)


class Running:
    """A server in a process of its own, `on` another system where a folder makes Python resemble it."""

    def __init__(
        self, settings: Settings, log: Path, port: int | None = None, on: Path | None = None, **more: Any
    ) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port or 0))
            self.port = probe.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{self.port}/", log
        environment = os.environ | {
            f"{PREFIX}{name.upper()}": str(value) for name, value in (settings.model_dump() | more).items()
        }
        if on:
            environment["PYTHONPATH"] = str(on)
        command = [sys.executable, "-m", "app", "--port", str(self.port)]
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=stderr)
        for _ in range(600):
            try:
                with urlopen(f"{self.url}readyz"):
                    return
            except URLError:
                assert self.process.poll() is None, log.read_text()
                time.sleep(0.1)
        raise AssertionError(log.read_text())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture(scope="session")
def start(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """Start a server with some settings changed, as in `start(rate=5)`; what still runs at the end is killed."""
    running: list[Running] = []

    def begin(**more: Any) -> Running:
        running.append(Running(settings, tmp_path_factory.mktemp("log") / "log.jsonl", **more))
        return running[-1]

    yield begin
    for server in running:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def server(start: Callable[..., Running]) -> Running:
    """A server that no test stops."""
    return start()


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error as error:
            reason = "no browser: `make test` installs one, or install chromium"
            if os.environ.get("CI") == "true":
                raise AssertionError(reason) from error
            pytest.skip(reason)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: "Browser", server: Running) -> "Iterator[Callable[..., Page]]":
    visits: list[Visit] = []

    def go(**options: object) -> "Page":
        visits.append(Visit(browser, server.url, **options))
        return visits[-1].page

    yield go
    for one in visits:
        one.close(server.url)
