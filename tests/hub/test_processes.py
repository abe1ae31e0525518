"""The hub over loopback, asked by processes of their own: their environment, their output, and their end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub.client import LARGE, downloads
from tests.hub_server import SIGNATURE, TOKEN, Fault, Hub

ROOT = Path(__file__).parents[2]
FETCH = """
from sentiment.core.command import run
from sentiment.sources.hub import open_repository
run(lambda: print(*open_repository("org/tiny", "model").fetch(["sub/vocab.txt", "model.safetensors"]).values()),
    "download", network=True)
"""


def start(folder: Path, code: str = FETCH, **environment: str) -> "subprocess.Popen[str]":
    """Start a process that knows the hub by its environment only."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(("HF_", "HTTP"))}
    settings = {"HF_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "NO_PROXY": "", "no_proxy": ""}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env=inherited | settings | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_endpoint_proxy_and_token_are_taken_from_the_environment(hub: Hub, tmp_path: Path) -> None:
    repo = hub.repos["model", "org/tiny"]
    # By Xet's way the address with the signature is never seen.
    repo.access, repo.xet = "private", False
    hub.faults = [Fault(status=429, headers={"Retry-After": "0"})]
    environment = {"HF_ENDPOINT": "http://hub.invalid", "HTTP_PROXY": hub.url, "NO_PROXY": "localhost"}
    process = start(tmp_path, HF_TOKEN=TOKEN, **environment)
    out, err = process.communicate()

    assert (process.returncode, err.count("Traceback")) == (0, 0), err
    assert out.rstrip().endswith("model.safetensors")
    assert "HTTP Error 429 thrown while requesting GET http://localhost" in err
    assert TOKEN not in out + err
    assert SIGNATURE not in out + err


def test_a_refusal_is_the_last_line_of_the_command_and_holds_no_token(hub: Hub, tmp_path: Path) -> None:
    hub.repos["model", "org/tiny"].access = "gated"
    secret = "hf_another_secret_token"
    process = start(tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN=secret)
    out, err = process.communicate()

    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("download: error: model org/tiny is gated: accept its conditions on ")
    assert "Traceback" not in err
    assert secret not in out + err


def test_a_killed_download_starts_that_file_over_and_keeps_whole_ones(hub: Hub, tmp_path: Path) -> None:
    killed = start(tmp_path, HF_ENDPOINT=hub.url)
    hub.faults = [Fault(after=100_000, call=killed.kill)]
    killed.communicate()
    out, _ = start(tmp_path, HF_ENDPOINT=hub.url).communicate()

    assert Path(out.split()[-1]).read_bytes() == LARGE
    assert downloads(hub) == 2
    assert len([request for request in hub.requests if request.path.endswith("vocab.txt")]) == 2


UNLOCKED = """
import contextlib, huggingface_hub.file_download
huggingface_hub.file_download.WeakFileLock = lambda path: contextlib.nullcontext()
"""


@pytest.mark.parametrize(("prelude", "times"), [("", 1), (UNLOCKED, 2)], ids=["locked", "where locks lie"])
def test_two_processes_that_want_the_same_file_both_get_it_whole(
    hub: Hub, tmp_path: Path, prelude: str, times: int
) -> None:
    def wait_for_the_other() -> None:
        def asked() -> int:
            return len([each for each in hub.requests if each.method == "HEAD" and "safetensors" in each.path])

        while asked() < 2 or downloads(hub) < times:
            hub.closing.wait(0.01)

    hub.faults = [Fault(after=100_000, call=wait_for_the_other)]
    processes = [start(tmp_path, prelude + FETCH, HF_ENDPOINT=hub.url) for _ in range(2)]
    for process in processes:
        out, err = process.communicate()
        assert Path(out.split()[-1]).read_bytes() == LARGE, err
    assert downloads(hub) == times
