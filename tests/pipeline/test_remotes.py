"""DVC's cache on a remote: in a folder, and behind a real SSH server that may be cut off."""

import hashlib
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.project import Project

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
FILES = 6
SIZE = 1_000_000


@pytest.fixture
def repository(tmp_path: Path) -> Project:
    """Return a small repository with an output of FILES files of SIZE bytes."""
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    for number in range(FILES):
        (folder / "data" / str(number)).write_bytes(random.Random(number).randbytes(SIZE))
    repository = Project(folder)
    repository.run("git", "init", "--quiet")
    repository.dvc("init", "--quiet")
    repository.dvc("add", "--quiet", "data")
    repository.commit("data")
    return repository


def connect(repository: Project, url: str, **options: str) -> None:
    """Set a remote's address and options, where git doesn't see them."""
    repository.dvc("remote", "add", "--local", "--force", "--default", "storage", url)
    for name, value in options.items():
        repository.dvc("remote", "modify", "--local", "storage", name, value)


def clone(repository: Project, url: str, **options: str) -> Project:
    """Clone the repository and pull."""
    other = Project(repository.folder.parent / "clone")
    repository.run("git", "clone", "--quiet", ".", str(other.folder))
    connect(other, url, **options)
    other.dvc("pull")
    return other


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_pushed_into_a_folder_is_pulled_by_another_clone(repository: Project, tmp_path: Path) -> None:
    connect(repository, str(tmp_path / "storage"))
    repository.dvc("push")

    assert contents(clone(repository, str(tmp_path / "storage")).folder / "data") == contents(
        repository.folder / "data"
    )


STAGES = """
stages:
  plain:
    cmd: cp number.yaml plain.txt && echo plain >> {log}
    params: [{{number.yaml: [number]}}]
    outs: [plain.txt]
  measured:
    cmd: cat number.yaml dvc.yaml > measured.txt && cat dvc.yaml number.yaml > metrics.json && echo measured >> {log}
    params: [{{number.yaml: [number]}}]
    outs: [measured.txt]
    metrics: [{{metrics.json: {{cache: false}}}}]
"""
"""Both log that they ran; one has metrics as the stages of dvc.yaml have them."""


@pytest.mark.slow
def test_through_a_remote_the_run_cache_restores_only_what_was_sent_and_no_stage_with_metrics(
    repository: Project, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def reproduce(where: Project, number: int, *options: str) -> list[str]:
        """Reproduce with another parameter; return the stages that ran."""
        log.write_text("")
        (where.folder / "number.yaml").write_text(f"number: {number}\n")
        where.dvc("repro", "--quiet", *options)
        return sorted(log.read_text().split())

    (repository.folder / "dvc.yaml").write_text(STAGES.format(log=log))
    connect(repository, str(tmp_path / "storage"))
    for number in (1, 2):
        assert reproduce(repository, number) == ["measured", "plain"]
        repository.commit(str(number))
    assert reproduce(repository, 1) == []
    reproduce(repository, 2)
    repository.dvc("push", "--run-cache")
    other = clone(repository, str(tmp_path / "storage"))
    assert reproduce(other, 2) == []
    other.dvc("pull", "--run-cache")
    shutil.copytree(other.folder, tmp_path / "second")
    assert reproduce(other, 1, "--pull") == ["measured", "plain"]

    repository.dvc("push", "--all-commits", "--run-cache")
    assert reproduce(Project(tmp_path / "second"), 1, "--pull") == ["measured"]

    repository.dvc("gc", "--force", "--workspace")
    assert reproduce(repository, 1) == ["measured", "plain"]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Run an SSH server on loopback; return its port and the key that opens it."""
    if SSHD is None:
        assert "CI" not in os.environ, "CI needs an SSH server: apt-get install openssh-server"
        pytest.skip("there is no sshd: apt-get install openssh-server")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    port = free_port()
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.PIPE)
    while True:
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port, tmp_path / "user"
    process.terminate()
    process.communicate()


class Line:
    """A line to a port that breaks after so many bytes went up, each time anew, until it is mended."""

    def __init__(self, port: int, breaks_after: int) -> None:
        self.port, self.left = port, breaks_after
        self.mended = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.port))
            for pair in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        try:
            while piece := source.recv(16_384):
                self.left -= len(piece) * up
                if self.left < 0 and not self.mended:
                    break
                target.sendall(piece)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
def test_a_push_over_ssh_that_was_cut_off_goes_on_where_it_was(
    repository: Project, server: tuple[int, Path], tmp_path: Path
) -> None:
    port, key = server
    storage = tmp_path / "storage"
    line = Line(port, breaks_after=SIZE * FILES // 2)
    url = f"ssh://{os.environ.get('USER', 'root')}@127.0.0.1:{line.listener.getsockname()[1]}{storage}"
    connect(repository, url, keyfile=str(key))
    cut = repository.run("dvc", "push", "--jobs", "1", check=False)
    assert cut.returncode != 0
    assert "Traceback" not in cut.stdout

    def stored() -> dict[Path, int]:
        # A file that was cut off keeps its temporary name.
        paths = [path for path in storage.rglob("*") if path.is_file() and path.suffix != ".tmp"]
        for path in paths:
            md5 = hashlib.md5(path.read_bytes()).hexdigest()
            assert f"{path.parent.name}{path.name}".removesuffix(".dir") == md5, f"{path} is damaged"
        return {path: path.stat().st_mtime_ns for path in paths}

    before = stored()
    assert 0 < len(before) < FILES + 1

    line.mended = True
    repository.dvc("push")

    after = stored()
    assert len(after) == FILES + 1
    assert before.items() <= after.items()
    assert contents(clone(repository, url, keyfile=str(key)).folder / "data") == contents(repository.folder / "data")
