import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub.errors import HTTPError

from sentiment.errors import UserError
from sentiment.sources import FolderSource, HubSource, PackageSource, locate

ROOT = Path(__file__).parents[2]
REVISION = "0123456789abcdef" * 2 + "01234567"
CONTENT = b"the bytes of the file\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
Fetch = Callable[..., subprocess.CompletedProcess[str]]


def test_a_file_of_a_folder_is_found_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT)
    assert locate(FolderSource(folder=str(tmp_path)), "a.txt", SHA256, "dataset") == tmp_path / "a.txt"


def test_a_missing_file_is_refused_with_its_source_and_the_remedy(tmp_path: Path) -> None:
    sentence = f"a.txt is missing in folder {tmp_path}: restore it, or correct the entry in catalog.yaml"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        locate(FolderSource(folder=str(tmp_path)), "a.txt", SHA256, "dataset")


def test_a_changed_file_is_refused_with_both_hashes_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT + b"!")
    changed = hashlib.sha256(CONTENT + b"!").hexdigest()
    with pytest.raises(UserError) as caught:
        locate(FolderSource(folder=str(tmp_path)), "a.txt", SHA256, "dataset")
    assert str(caught.value) == (
        f"a.txt of folder {tmp_path} has sha256 {changed}, but catalog.yaml expects {SHA256}: "
        "it was changed or damaged; restore it, or pin the new one if the change is meant"
    )


def test_a_packages_file_is_found_without_running_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package_of_the_test"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "model" / "a.txt").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    found = locate(PackageSource(package=package.name, folder="model"), "a.txt", SHA256, "model")
    assert found == package / "model" / "a.txt"


def test_a_package_that_is_not_installed_is_refused_with_the_remedy() -> None:
    name = "no_such_package_at_all"
    sentence = f"the model's package {name} is not installed: pip install -r requirements.txt"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        PackageSource(package=name, folder="model").locate("a.txt", "model")


class Hub(BaseHTTPRequestHandler):
    """Speaks the hub's protocol for one file of a model and one of a dataset."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        files = {
            f"/org/tiny/resolve/{REVISION}/sub/a.txt": CONTENT,
            f"/datasets/org/toy/resolve/{REVISION}/a.txt": CONTENT,
        }
        content = files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("X-Repo-Commit", REVISION)
        if content is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        body = content or b""
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def fetch(endpoint: str, tmp_path: Path) -> Fetch:
    """Locate a file of a hub source as the download stages do, in a process of its own that prints the path."""

    def start(
        repo: str, file: str, kind: str, expected: str = SHA256, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        code = f"""
from sentiment.command import run
from sentiment.sources import HubSource, locate
source = HubSource(hub={repo!r}, revision={REVISION!r})
run(lambda: print(locate(source, {file!r}, {expected!r}, {kind!r})), "download", network=True)
"""
        proxies = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=inherited | proxies | settings | environment,
            check=False,
        )

    return start


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of stderr, after checking that it is the command's and that no traceback precedes it."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("download: error: ")
    return last


@pytest.mark.parametrize(
    ("repo", "file", "kind"), [("org/tiny", "sub/a.txt", "model"), ("org/toy", "a.txt", "dataset")]
)
def test_the_hubs_bytes_arrive_and_serve_offline_later(fetch: Fetch, repo: str, file: str, kind: str) -> None:
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        done = fetch(repo, file, kind, **environment)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.splitlines()[0]).read_bytes() == CONTENT


def test_a_file_that_the_hub_lacks_is_refused_in_one_sentence(fetch: Fetch) -> None:
    message = refused(fetch("org/tiny", "nowhere.txt", "model"))
    assert message.startswith(
        f"download: error: nowhere.txt could not be downloaded from hub org/tiny at {REVISION[:8]}: "
    )
    assert "404" in message


def test_a_name_that_the_hub_does_not_allow_is_one_sentence(fetch: Fetch) -> None:
    message = refused(fetch("org/two--dashes", "a.txt", "dataset"))
    assert message.startswith("download: error: a.txt could not be downloaded from hub org/two--dashes")


def test_wrong_bytes_from_the_hub_are_refused(fetch: Fetch) -> None:
    message = refused(fetch("org/toy", "a.txt", "dataset", expected="0" * 64))
    hashes = f"has sha256 {SHA256}, but catalog.yaml expects {'0' * 64}"
    assert message.startswith(f"download: error: a.txt of hub org/toy at {REVISION[:8]} {hashes}")


def test_without_a_network_the_default_model_and_dataset_are_pointed_to(fetch: Fetch) -> None:
    message = refused(fetch("org/toy", "a.txt", "dataset", HF_HUB_OFFLINE="1"))
    assert message.startswith(f"download: error: a.txt could not be downloaded from hub org/toy at {REVISION[:8]}: ")
    assert message.endswith("(no network? the default model and dataset need none)")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("reset by peer\nsecond line"), "reset by peer"),
        (TimeoutError("timed out"), "timed out"),
        (HTTPError("peer closed connection"), "peer closed connection"),
        (HTTPError(""), ".*"),
    ],
)
def test_a_broken_connection_is_one_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(UserError) as caught:
        HubSource(hub="org/toy", revision=REVISION).locate("a.txt", "dataset")
    assert re.fullmatch(
        rf"a\.txt could not be downloaded from hub org/toy at 01234567: {reason} "
        r"\(no network\? the default model and dataset need none\)",
        str(caught.value),
    )
