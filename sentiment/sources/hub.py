"""The Hugging Face hub: what a repository holds at a commit, and its files, fetched, verified and cached.

huggingface_hub speaks the protocol and knows the settings (HF_ENDPOINT, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE, proxies,
time-outs), and files lie where it looks for them. What it lacks is here: it starts a file anew after its process was
killed, tries a server that fails once only, and leaves checksums unread. Files come over plain HTTP, which every mirror
and proxy speaks and which goes on at any byte; its Xet protocol has retries of its own that we could not bound.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sentiment.core.errors import UserError, reason
from sentiment.core.files import sha256, write_json
from sentiment.sources.retries import NO_HUB, Kind, explained, patiently

if TYPE_CHECKING:
    from huggingface_hub import DatasetInfo, ModelInfo
    from tqdm import tqdm

COMMIT = re.compile("[0-9a-f]{40}")
HUB_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
"""A repository of the hub as people write it: ORG/NAME or ORG/NAME@REVISION."""
PROGRESS = 2**20
"""Bytes after which a connection that was cut counts as one that works."""


@dataclass(frozen=True)
class RemoteFile:
    """Size in bytes; the sha256 of a large file, the git object's id of a small one, as far as the hub states them."""

    size: int
    sha256: str | None
    git: str | None = None

    def matches(self, path: Path) -> bool:
        """Tell whether a local file has the size and the checksum that the hub states."""
        from huggingface_hub.utils.sha import git_hash

        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.sha256:
            return sha256(path) == self.sha256
        return self.git is None or git_hash(path.read_bytes()) == self.git


@dataclass(frozen=True)
class Repository:
    """A repository at one commit; `files` has every path in it, `licence` is "unknown" where none is stated."""

    name: str
    kind: Kind
    commit: str
    licence: str
    files: dict[str, RemoteFile]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} at {self.commit[:8]}"

    def fetch(self, paths: Sequence[str], expected: Mapping[str, str | None] | None = None) -> dict[str, Path]:
        """Return where each of `paths` lies in the local cache, downloaded where it isn't there yet.

        Says what will be downloaded and how large it is before it starts. `expected` has the sha256 that a path must
        have; where it has none, or None, the hub's own checksum counts. Raises UserError for whatever is wrong with
        the hub, the network or the files.
        """
        from tqdm import tqdm

        pins = {path: pin for path in paths if (pin := (expected or {}).get(path))}
        for path in paths:
            if path not in self.files:
                raise UserError(f"{self} has no file {path}: correct the name, or take another revision")
            if path in pins and self.files[path].sha256 not in {None, pins[path]}:
                raise self._unexpected(path, str(self.files[path].sha256), pins[path])

        local = {path: _folder(self.name, self.kind) / "snapshots" / self.commit / path for path in paths}
        missing = {path: file for path in paths if not (file := self.files[path]).matches(local[path])}
        if missing:
            size = sum(file.size for file in missing.values())
            listed = ", ".join(f"{path} {tqdm.format_sizeof(file.size, 'B')}" for path, file in missing.items())
            print(f"downloading {tqdm.format_sizeof(size, 'B')} of {self}: {listed}", flush=True)
            _require_space(size, sum(self.files[path].size for path in paths))
            with explained(self.name, self.kind), tqdm(total=size, desc=self.name, unit="B", unit_scale=True) as bar:
                for path, file in missing.items():
                    self._download(path, file, local[path], bar)
        for path, pin in pins.items():
            if self.files[path].sha256 is None and (actual := sha256(local[path])) != pin:
                raise self._unexpected(path, actual, pin)
        return local

    def _unexpected(self, path: str, actual: str, pin: str) -> UserError:
        return UserError(
            f"{path} of {self} has sha256 {actual}, but catalog.yaml expects {pin}: "
            "the hub's file is another one; pin the new one if the change is meant"
        )

    def _download(self, path: str, file: RemoteFile, target: Path, bar: "tqdm[Any]") -> None:
        """Bring `target` about, going on with what an earlier run left of it."""
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.utils import WeakFileLock

        url = hf_hub_url(self.name, path, repo_type=self.kind, revision=self.commit, endpoint=constants.ENDPOINT)
        partial = _folder(self.name, self.kind) / "blobs" / f"{file.sha256 or file.git}.incomplete"
        partial.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Experiments that run side by side want the same files: one downloads, the others wait and find them.
        with WeakFileLock(partial.with_suffix(".lock")):
            if file.matches(target):
                bar.update(file.size)
                return
            # What a crash of the machine left may be damaged, so the first mismatch is answered by starting over.
            for _ in range(2):
                partial.touch()
                bar.update(partial.stat().st_size)
                while not patiently(lambda: _continue(url, partial, file.size, bar)):
                    pass
                if file.matches(partial):
                    partial.replace(target)
                    return
                size = partial.stat().st_size
                partial.unlink()
                bar.update(-size)
        what = "other bytes than the" if size == file.size else f"{size:,} bytes instead of the"
        raise UserError(
            f"{path} of {self} arrived twice with {what} {file.size:,} that the hub lists: a proxy or mirror may alter "
            "it; try another network, or the hub itself (unset HF_ENDPOINT)"
        )


def open_repository(name: str, kind: Kind, revision: str | None = None) -> Repository:
    """Return the repository `name` (ORG/NAME) at a branch, tag or commit; None means its main branch.

    A commit (40 hex digits) that was opened before needs no network. Raises UserError.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import WeakFileLock, validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"{name!r} is no name that the hub allows: {reason(error)}") from None
    listings = _folder(name, kind) / "listings"
    if revision and COMMIT.fullmatch(revision) and (known := _read_listing(listings / f"{revision}.json")):
        return known

    api = HfApi()
    ask: Callable[..., ModelInfo | DatasetInfo] = api.model_info if kind == "model" else api.dataset_info
    options = {"revision": revision, "files_metadata": True, "timeout": constants.HF_HUB_ETAG_TIMEOUT}
    with explained(name, kind, revision):
        try:
            repository = _understand(name, kind, patiently(lambda: ask(name, **options)))
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UserError(
                f"{constants.ENDPOINT} does not answer as the hub does: sign in to this network where it asks for it, "
                f"or correct HF_ENDPOINT and the proxy's settings; {NO_HUB}"
            ) from None
    listings.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(listings / f"{repository.commit}.lock"):
        write_json(listings / f"{repository.commit}.json", asdict(repository))
    return repository


def _folder(name: str, kind: Kind) -> Path:
    """Return the folder of huggingface_hub's cache in which it looks for the repository's files."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type=kind)


def _read_listing(path: Path) -> Repository | None:
    """Return what an earlier run noted of a commit, which can't have changed since; None where there is no note."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {name: RemoteFile(**file) for name, file in content.pop("files").items()}
        return Repository(**content, files=files)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _understand(name: str, kind: Kind, info: "ModelInfo | DatasetInfo") -> Repository:
    """Turn the hub's answer into a repository; raise ValueError or TypeError where it isn't the hub's."""
    if not COMMIT.fullmatch(info.sha or ""):
        raise ValueError("no commit")
    stated = info.card_data.get("license") if info.card_data else None
    licence = ", ".join(stated) if isinstance(stated, list) else stated or "unknown"
    files = {}
    for file in info.siblings or []:
        parts = PurePosixPath(file.rfilename).parts
        # A path that leads out of its folder is an attack: no repository that git made has one.
        if ".." in parts or "\\" in file.rfilename or parts[0] == "/":
            raise ValueError("unsafe path")
        # A large file's git object is a pointer, whose id says nothing about the bytes that come.
        sha256, git = (file.lfs.sha256, None) if file.lfs else (None, file.blob_id)
        if not (sha256 or git):
            raise ValueError("no checksum")
        files[file.rfilename] = RemoteFile(int(file.size), sha256, git)
    return Repository(name, kind, info.sha, licence, files)


def _require_space(download: int, copy: int) -> None:
    """Raise UserError unless the cache has room for the bytes of `download` and this folder for those of `copy`."""
    from huggingface_hub import constants
    from tqdm import tqdm

    cache, here = Path(constants.HF_HUB_CACHE), Path.cwd()
    cache.mkdir(parents=True, exist_ok=True)
    one_disk = cache.stat().st_dev == here.stat().st_dev
    for folder, needed in [(cache, download + copy)] if one_disk else [(cache, download), (here, copy)]:
        if (free := shutil.disk_usage(folder).free) < needed:
            raise UserError(
                f"{folder} has {tqdm.format_sizeof(free, 'B')} of free disk space, but the download and its copy need "
                f"{tqdm.format_sizeof(needed, 'B')}: free some, or set HF_HOME to a folder on a larger disk"
            )


def _continue(url: str, partial: Path, size: int, bar: "tqdm[Any]") -> bool:
    """Append what `partial` lacks of `size` bytes; return False where the line was cut after some progress."""
    import httpx2
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    start = have = partial.stat().st_size
    if have >= size:
        return True
    # Compressed on the way, a file's length and its byte ranges would be those of the compressed one.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with (
            get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response,
            # Unbuffered, so that a kill loses nothing of what arrived.
            partial.open("ab", buffering=0) as file,
        ):
            if response.status_code == 416:
                # The server's file ends here already.
                return True
            hf_raise_for_status(response)
            if response.status_code == 200:
                # It starts over, asked to go on or not.
                file.truncate(0)
                bar.update(-start)
                start = have = 0
            for piece in response.iter_bytes():
                have += file.write(piece)
                bar.update(len(piece))
                if have > size:
                    break
        if have < size:
            raise httpx2.RemoteProtocolError(f"the file ended after {have:,} of {size:,} bytes")
    except httpx2.TransportError:
        if have - start < PROGRESS:
            raise
        return False
    return True
