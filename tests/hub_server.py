"""A small server that speaks the hub's protocol over loopback, and fails on request.

Serves every FOLDER/models/ORG/NAME[@COMMIT] and FOLDER/datasets/ORG/NAME[@COMMIT] as a repository; without one, the
commit is a hash of the content. Prints the address to put into HF_ENDPOINT:

    python -m tests.hub_server FOLDER [PORT]

As at the hub, small files are git objects, and large ones (by their suffix) LFS objects behind a redirect to storage on
another host, at an address with a signature.
"""

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
from huggingface_hub.utils.sha import git_hash

from tests.hub_repositories import LARGE, NAMESPACE, Repo, Uploads, asked, body_of, modes, places, repositories

TOKEN = "hf_token_of_the_test"
SIGNATURE = "key_of_the_test"


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose "METHOD path" has the pattern `match`, after `after` bytes.

    status   is answered, with `headers` and nothing else
    cut      ends or resets the connection
    stall    sends nothing more
    altered  sends other bytes from there on
    length   is the number of bytes that is announced and sent
    call     is called, then the rest is sent
    """

    match: str = "/storage/"
    times: int = 1
    after: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: Literal["end", "reset"] | None = None
    stall: bool = False
    altered: bool = False
    length: int | None = None
    call: Callable[[], object] | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str | None


class Hub(ThreadingHTTPServer):
    """The server: `repos` by kind and name, `faults` to come, `requests` that came; takes uploads into a folder."""

    daemon_threads = True

    def __init__(self, repos: dict[tuple[str, str], Repo], port: int = 0, uploads: Path | None = None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.repos = repos
        self.uploads = Uploads(uploads) if uploads else None
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, request: str) -> Fault:
        """Take the next fault that is due for the request."""
        for fault in self.faults:
            if fault.times and re.search(fault.match, request):
                fault.times -= 1
                return fault
        return Fault()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that are killed or that stop listening are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        # A proxy is asked for the whole address.
        path = unquote(re.sub(r"^http://[^/]+", "", self.path).partition("?")[0])
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.server.requests.append(Request(self.command, path, token))
        fault = self.server.fault(f"{self.command} {path}")
        if fault.status:
            self.reply(fault.status, fault.headers)
        elif self.command == "HEAD" and (fault.cut or fault.stall):
            self.strike(fault)
        elif stored := re.fullmatch(r"/storage/([0-9a-f]{64})", path):
            repos = self.server.repos.values()
            found = (repo.files[name] for repo in repos for name, digest in repo.sums.items() if digest == stored[1])
            self.send_content(next(found).read_bytes(), fault)
        elif info := re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            if repo := self.repo(info[1], info[2], info[3]):
                card = {"license": repo.licence}
                content = {"id": info[2], "sha": repo.commit, "siblings": repo.listing(), "cardData": card}
                self.send_content(json.dumps(content).encode(), fault)
        elif resolved := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            if repo := self.repo("dataset" if resolved[1] else "model", resolved[2], resolved[3]):
                self.resolve(repo, resolved[4], fault)
        else:
            self.reply(404, {})

    def do_PUT(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        path, content = self.path.partition("?")[0], body_of(self)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        self.server.requests.append(Request(self.command, path, token))
        fault = self.server.fault(f"{self.command} {path}")
        wish, subject = asked(path)
        uploads = self.server.uploads
        if fault.status:
            self.reply(fault.status, fault.headers)
        elif uploads is None or not wish:
            self.reply(404, {})
        elif wish == "store":
            self.reply(200 if uploads.store(subject, content) else 400, {})
        elif wish == "validate":
            self.send_content(b"{}", fault)
        elif token != TOKEN:
            self.reply(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        elif wish == "commit":
            before = self.server.repos["model", subject]
            repo = self.server.repos["model", subject] = Repo(uploads.commit(subject, content))
            repo.access = before.access
            done = {"commitOid": repo.commit, "commitUrl": f"{self.server.url}/{subject}/commit/{repo.commit}"}
            self.send_content(json.dumps(done).encode(), fault)
        elif wish == "create":
            self.create(json.loads(content), fault)
        else:
            answer = modes(json.loads(content)) if wish == "list" else places(json.loads(content), self.server.url)
            self.send_content(json.dumps(answer).encode(), fault)

    def create(self, wanted: dict[str, Any], fault: Fault) -> None:
        """Create an empty repository, unless there is one or the namespace is another's."""
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] != NAMESPACE:
            self.reply(403, {"X-Error-Message": "You don't have the rights to create a model under this namespace"})
        elif ("model", name) in self.server.repos:
            self.send_content(json.dumps({"url": f"{self.server.url}/{name}"}).encode(), fault, status=409)
        else:
            assert self.server.uploads
            (self.server.uploads.folder / name).mkdir(parents=True)
            repo = self.server.repos["model", name] = Repo(self.server.uploads.folder / name)
            repo.access = wanted.get("visibility", "public")
            self.send_content(json.dumps({"url": f"{self.server.url}/{name}"}).encode(), fault)

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

    def resolve(self, repo: Repo, file: str, fault: Fault) -> None:
        headers = {"X-Repo-Commit": repo.commit}
        if repo.access == "gated" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.reply(403, headers | {"X-Error-Code": "GatedRepo"})
        elif file not in repo.files:
            self.reply(404, headers | {"X-Error-Code": "EntryNotFound"})
        elif repo.files[file].suffix in LARGE:
            linked = {"X-Linked-Size": str(repo.files[file].stat().st_size), "X-Linked-ETag": f'"{repo.sums[file]}"'}
            storage = f"http://localhost:{self.server.server_port}/storage/{repo.sums[file]}?Signature={SIGNATURE}"
            xet = {"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": "/api/xet"} if repo.xet else {}
            self.reply(302, headers | linked | xet | {"Location": storage})
        else:
            content = repo.files[file].read_bytes()
            self.send_content(content, fault, headers | {"ETag": f'"{git_hash(content)}"'})

    def send_content(
        self, content: bytes, fault: Fault, headers: dict[str, str] | None = None, status: int = 200
    ) -> None:
        """Send the content, whole where a part is asked for, as some proxies do, until the fault strikes."""
        if fault.length is not None:
            content = (content + bytes(fault.length))[: fault.length]
        self.reply(status, {"Content-Length": str(len(content))} | (headers or {}))
        if self.command == "HEAD":
            return
        self.wfile.write(content[: fault.after])
        if fault.call:
            fault.call()
        rest = content[fault.after :]
        if fault.cut or fault.stall:
            self.strike(fault)
        else:
            self.wfile.write(bytes(byte ^ 1 for byte in rest) if fault.altered else rest)

    def strike(self, fault: Fault) -> None:
        """Send nothing more, until the end or by ending or resetting the connection."""
        self.close_connection = True
        if fault.stall:
            self.server.closing.wait()
        if fault.cut == "reset":
            # To close while lingering for zero seconds sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())

    def reply(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in ({"Content-Length": "0"} | headers).items():
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
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.delenv("HF_TOKEN", raising=False)
        # The client that is shared by all requests has read the proxies' settings.
        close_session()
        yield
    close_session()


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with Hub(repositories(folder), port) as hub:
        for (kind, name), repo in hub.repos.items():
            print(f"{kind} {name} at {repo.commit}: {len(repo.files)} files")
        print(f"HF_ENDPOINT={hub.url}", flush=True)
        hub.serve_forever()


if __name__ == "__main__":
    main()
