"""A small server that speaks the hub's protocol over loopback, and fails on request.

Serves every FOLDER/models/ORG/NAME[@COMMIT] and FOLDER/datasets/ORG/NAME[@COMMIT] as a repository; without one, the
commit is a hash of the content. Prints the address to put into HF_ENDPOINT:

    python -m tests.hub_server FOLDER [PORT]

As at the hub, large files (by their suffix) are LFS objects behind a redirect to storage, and the others git objects.
"""

import hashlib
import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import pytest
from huggingface_hub import close_session, constants

LARGE = {".bin", ".model", ".parquet", ".safetensors"}
TOKEN = "hf_token_of_the_test"
CHUNK = 2**16


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose path contains `match`, once `after` bytes were sent.

    status    is answered, with `headers` and nothing else
    redirect  leads to the same path of this address
    cut       ends or resets the connection
    stall     sends nothing more
    altered   sends other bytes from there on
    length    is the number of bytes that is announced and sent
    ranges    False ignores a range that is asked for
    call      is called with the number of the file's bytes that the client should have by then
    """

    match: str = "/"
    times: int = 1
    after: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    redirect: str | None = None
    cut: Literal["end", "reset"] | None = None
    stall: bool = False
    altered: bool = False
    length: int | None = None
    ranges: bool = True
    call: Callable[[int], object] | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    start: int
    token: str | None


class Repo:
    """A folder as a repository at one commit; `access` is public, gated or private."""

    def __init__(self, folder: Path, commit: str | None = None, access: str = "public", licence: str = "mit") -> None:
        self.files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self.sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.files.items()}
        self.commit = commit or hashlib.sha1(json.dumps(self.sums).encode()).hexdigest()
        self.access = access
        self.licence = licence

    def listing(self) -> list[dict[str, Any]]:
        siblings = []
        for name, path in self.files.items():
            size = path.stat().st_size
            entry: dict[str, Any] = {"rfilename": name, "size": size, "blobId": self.git(name)}
            if path.suffix in LARGE:
                entry["lfs"] = {"sha256": self.sums[name], "size": size, "pointerSize": 134}
            siblings.append(entry)
        return siblings

    def git(self, name: str) -> str:
        content = self.files[name].read_bytes()
        return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


class Hub(ThreadingHTTPServer):
    """The server: `repos` by kind and name, `faults` to come, `requests` that came."""

    daemon_threads = True

    def __init__(self, repos: dict[tuple[str, str], Repo], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.repos = repos
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, path: str) -> Fault:
        """Take the next fault that is due for the path."""
        for fault in self.faults:
            if fault.times and fault.match in path:
                fault.times -= 1
                return fault
        return Fault()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that are killed or that stop listening are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        # A proxy is asked for the whole address.
        path = unquote(re.sub(r"^http://[^/]+", "", self.path).partition("?")[0])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.server.requests.append(Request(self.command, path, start, token))
        fault = self.server.fault(path)
        if fault.status:
            self.reply(fault.status, fault.headers)
        elif fault.redirect:
            self.reply(302, {"Location": fault.redirect + path})
        elif stored := re.fullmatch(r"/storage/([0-9a-f]{64})", path):
            self.send_file(self.stored(stored[1]), start, fault)
        elif info := re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            self.send_info(info[1], info[2], info[3], fault)
        elif resolved := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            kind, name, revision, file = resolved.groups()
            self.resolve("dataset" if kind else "model", name, revision, file, start, fault)
        else:
            self.reply(404)

    def repo(self, kind: str, name: str, revision: str | None) -> Repo | None:
        """Return the repository, or answer as the hub does that there is none."""
        repo = self.server.repos.get((kind, name))
        authorized = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo is None or (repo.access == "private" and not authorized):
            self.reply(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."})
            return None
        if revision not in {None, "main", repo.commit}:
            self.reply(404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {revision}"})
            return None
        return repo

    def send_info(self, kind: str, name: str, revision: str | None, fault: Fault) -> None:
        if repo := self.repo(kind, name, revision):
            card = {"license": repo.licence}
            info = {"id": name, "sha": repo.commit, "siblings": repo.listing(), "cardData": card, "tags": []}
            self.send_content(json.dumps(info).encode(), 0, fault, {"Content-Type": "application/json"})

    def resolve(self, kind: str, name: str, revision: str, file: str, start: int, fault: Fault) -> None:
        repo = self.repo(kind, name, revision)
        if repo is None:
            return
        headers = {"X-Repo-Commit": repo.commit}
        if repo.access == "gated" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.reply(403, headers | {"X-Error-Code": "GatedRepo"})
        elif file not in repo.files:
            self.reply(404, headers | {"X-Error-Code": "EntryNotFound"})
        elif repo.files[file].suffix in LARGE:
            etag = repo.sums[file]
            size = str(repo.files[file].stat().st_size)
            linked = {"X-Linked-Size": size, "X-Linked-ETag": f'"{etag}"', "ETag": f'"{repo.commit}"'}
            self.reply(302, headers | linked | {"Location": f"/storage/{etag}"})
        else:
            self.send_file(repo.files[file], start, fault, headers | {"ETag": f'"{repo.git(file)}"'})

    def stored(self, sha256: str) -> Path:
        repos = self.server.repos.values()
        return next(repo.files[name] for repo in repos for name, digest in repo.sums.items() if digest == sha256)

    def send_file(self, file: Path, start: int, fault: Fault, headers: dict[str, str] | None = None) -> None:
        self.send_content(file.read_bytes(), start, fault, headers or {})

    def send_content(self, content: bytes, start: int, fault: Fault, headers: dict[str, str]) -> None:
        """Send the content from `start` on, until the fault strikes."""
        if fault.length is not None:
            content = (content + bytes(fault.length))[: fault.length]
        if not fault.ranges:
            start = 0
        if start >= len(content) > 0:
            self.reply(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        if start:
            headers = headers | {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        strikes = fault.cut or fault.stall or fault.altered or fault.call
        turn = min(start + fault.after, len(content)) if strikes else len(content)
        self.send_bytes(content[start:turn])
        if fault.call:
            fault.call(turn)
        if fault.stall:
            self.server.closing.wait()
        if fault.stall or fault.cut:
            self.close_connection = True
            if fault.cut == "reset":
                # To close while lingering for zero seconds sends a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                socket.close(self.connection.detach())
            return
        rest = content[turn:]
        self.send_bytes(bytes(byte ^ 1 for byte in rest) if fault.altered else rest)

    def send_bytes(self, content: bytes) -> None:
        for place in range(0, len(content), CHUNK):
            self.wfile.write(content[place : place + CHUNK])

    def reply(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serve in threads of this process until the block ends."""
    with hub:
        threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield hub
        finally:
            hub.closing.set()
            hub.shutdown()


@contextmanager
def only_hub(url: str, cache: Path) -> Iterator[None]:
    """Let this process know this hub, this cache, and no token, until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", url)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.delenv("HF_TOKEN", raising=False)
        # The client that is shared by all requests has read the proxies' settings.
        close_session()
        yield
    close_session()


def repositories(folder: Path) -> dict[tuple[str, str], Repo]:
    """Find the repositories below FOLDER/models and FOLDER/datasets."""
    found = {}
    for kind in ("model", "dataset"):
        for path in sorted((folder / f"{kind}s").glob("*/*")):
            name, _, commit = path.name.partition("@")
            found[kind, f"{path.parent.name}/{name}"] = Repo(path, commit or None)
    return found


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with Hub(repositories(folder), port) as hub:
        for (kind, name), repo in hub.repos.items():
            print(f"{kind} {name} at {repo.commit}: {len(repo.files)} files")
        print(f"HF_ENDPOINT={hub.url}", flush=True)
        hub.serve_forever()


if __name__ == "__main__":
    main()
