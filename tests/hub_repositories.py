"""What the tests' hub serves, and what it does with uploads: it creates repositories, and commits what they are sent.

As at the hub, small files come within the commit, and large ones (by their suffix) are put into the storage before.
"""

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from huggingface_hub.utils.sha import git_hash

LARGE = {".bin", ".model", ".onnx", ".parquet", ".safetensors"}
NAMESPACE = "me"
"""Whose token the tests have: it may write here and nowhere else."""


class Repo:
    """A folder as a repository at one commit.

    `access` is public, gated or private. `xet` makes large files offer the protocol Xet, which isn't spoken here.
    """

    def __init__(self, folder: Path, commit: str | None = None, licence: str = "mit") -> None:
        self.files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self.sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.files.items()}
        self.commit = commit or hashlib.sha1(json.dumps(self.sums).encode()).hexdigest()
        self.licence = licence
        self.access = "public"
        self.xet = False

    def listing(self) -> list[dict[str, Any]]:
        siblings = []
        for name, path in self.files.items():
            size = path.stat().st_size
            lfs = {"lfs": {"sha256": self.sums[name], "size": size}} if path.suffix in LARGE else {}
            siblings.append({"rfilename": name, "size": size, "blobId": git_hash(path.read_bytes())} | lfs)
        return siblings


def repositories(folder: Path) -> dict[tuple[str, str], Repo]:
    """Find the repositories below FOLDER/models and FOLDER/datasets."""
    found = {}
    for kind in ("model", "dataset"):
        for path in sorted((folder / f"{kind}s").glob("*/*")):
            name, _, commit = path.name.partition("@")
            found[kind, f"{path.parent.name}/{name}"] = Repo(path, commit or None)
    return found


class Uploads:
    """Files by repository, as committed, below `folder`; large ones by their sha256 until then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stored: dict[str, bytes] = {}

    def store(self, digest: str, content: bytes) -> bool:
        """Keep a large file; refuse one that isn't what it is called."""
        if hashlib.sha256(content).hexdigest() != digest:
            return False
        self.stored[digest] = content
        return True

    def commit(self, name: str, lines: bytes) -> Path:
        """Write the files of a commit, lines of JSON; return the repository's folder."""
        for line in lines.splitlines():
            operation, value = (json.loads(line)[key] for key in ("key", "value"))
            if operation in {"file", "lfsFile"}:
                path = self.folder / name / value["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                small = operation == "file"
                path.write_bytes(base64.b64decode(value["content"]) if small else self.stored[value["oid"]])
        return self.folder / name


def body_of(request: BaseHTTPRequestHandler) -> bytes:
    """Return what a request sends, of announced length or in chunks."""
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    chunks = []
    while size := int(request.rfile.readline(), 16):
        chunks.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(chunks)


def asked(path: str) -> tuple[str, str]:
    """Return what a request for a path wants done, and to what."""
    for wish, pattern in {
        "create": r"/api/repos/(create)",
        "validate": r"/api/(validate-yaml)",
        "list": r"/api/models/([^/]+/[^/]+)/preupload/main",
        "commit": r"/api/models/([^/]+/[^/]+)/commit/main",
        "batch": r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch",
        "store": r"/storage/([0-9a-f]{64})",
    }.items():
        if found := re.fullmatch(pattern, path):
            return wish, found[1]
    return "", ""


def modes(content: dict[str, Any]) -> dict[str, Any]:
    """Say of each file how it is to be sent."""
    files = [
        {"path": file["path"], "uploadMode": "lfs" if Path(file["path"]).suffix in LARGE else "regular"}
        for file in content["files"]
    ]
    return {"files": [file | {"shouldIgnore": False} for file in files]}


def places(content: dict[str, Any], url: str) -> dict[str, Any]:
    """Say of each large file where it is to be put."""
    objects = [
        {key: item[key] for key in ("oid", "size")} | {"actions": {"upload": {"href": f"{url}/storage/{item['oid']}"}}}
        for item in content["objects"]
    ]
    return {"transfer": "basic", "objects": objects}
