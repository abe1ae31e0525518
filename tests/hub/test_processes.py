"""The hub over loopback, asked by processes of their own: their environment, their output, and their end."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from tests.hub.client import LARGE, downloads
from tests.hub_server import TOKEN, Fault, Hub

ROOT = Path(__file__).parents[2]


def script(code: str, home: Path, **environment: str) -> list[str]:
    """Return the command and its environment of a process that knows the hub by its environment only."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(("HF_", "HTTP"))}
    settings = {"HF_HOME": str(home), "PYTHONPATH": str(ROOT), "NO_PROXY": "", "no_proxy": ""}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | settings | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return [str(done.returncode), done.stdout, done.stderr]


RUN = """
from sentiment.core.command import run
from sentiment.sources.hub import open_repository
run(lambda: print(open_repository("org/tiny", "model").fetch(["sub/vocab.txt"])), "download", network=True)
"""


def test_endpoint_proxy_and_token_are_taken_from_the_environment(hub: Hub, tmp_path: Path) -> None:
    hub.repos["model", "org/tiny"].access = "private"
    (tmp_path / "home").mkdir()
    code, out, err = script(
        f"import os; os.chdir({str(tmp_path)!r})\n" + RUN,
        tmp_path / "home",
        HF_ENDPOINT="http://hub.invalid",
        HTTP_PROXY=hub.url,
        HF_TOKEN=TOKEN,
        HF_DEBUG="0",
    )

    assert (code, err.count("Traceback")) == ("0", 0), err
    assert "sub/vocab.txt" in out
    assert TOKEN not in out + err


def test_a_refusal_is_the_last_line_of_the_command_and_holds_no_token(hub: Hub, tmp_path: Path) -> None:
    hub.repos["model", "org/tiny"].access = "gated"
    secret = "hf_another_secret_token"
    code, out, err = script(
        f"import os; os.chdir({str(tmp_path)!r})\n" + RUN, tmp_path / "home", HF_ENDPOINT=hub.url, HF_TOKEN=secret
    )

    assert code == "1"
    assert err.splitlines()[-1].startswith("download: error: model org/tiny is gated: accept its conditions on ")
    assert "Traceback" not in err
    assert secret not in out + err


KILLED = """
import os, sys
from sentiment.sources.hub import open_repository
repository = open_repository("org/tiny", "model")
for attempt in range(int(sys.argv[1])):
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    repository.fetch(["model.safetensors"])
    os._exit(0)
print(repository.fetch(["model.safetensors"])["model.safetensors"])
"""


def test_killed_at_a_random_byte_twenty_times_a_download_ends_with_the_right_bytes(hub: Hub, tmp_path: Path) -> None:
    home, draw = tmp_path / "home", random.Random(1)

    def kill_at_once(size: int) -> None:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    def kill_once_on_disk(size: int) -> None:
        while not any(path.stat().st_size >= size for path in home.rglob("*.incomplete")):
            if hub.closing.wait(0.001):
                return
        kill_at_once(size)

    kills = [kill_at_once, kill_once_on_disk] * 10
    hub.faults = [Fault(match="/storage/", after=draw.randrange(25_000), call=kill) for kill in kills]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "20"],
        cwd=tmp_path,
        env=environment | {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(done.stdout.splitlines()[-1]).read_bytes() == LARGE
    starts = downloads(hub)
    assert len(starts) == 21
    assert starts == sorted(starts)
    assert starts[-1] > 60_000
