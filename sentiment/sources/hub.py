"""The Hugging Face hub: what a repository holds at a commit, and its files, downloaded, verified and cached.

huggingface_hub downloads into its own cache, reads the settings (HF_ENDPOINT, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE,
proxies, time-outs) and tries again where a request fails. Added here is what it leaves out: checksums, free space, the
list of a commit's files without a network, and further attempts after faults at which it gives up at once. Files come
over plain HTTP, which every mirror and proxy of the hub speaks, while few speak its Xet protocol.
"""

import json
import logging
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from sentiment.core.errors import UserError, reason
from sentiment.core.files import sha256, write_json
from sentiment.sources.hub_errors import brief, explain

if TYPE_CHECKING:
    from tenacity import RetryCallState

Kind = Literal["model", "dataset"]
COMMIT = re.compile("[0-9a-f]{40}")
HUB_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
"""A repository of the hub as people write it: ORG/NAME or ORG/NAME@REVISION."""
ATTEMPTS = 4
"""How often the download of a file is started; the waits between them add up to half a minute."""
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What is raised where a list of files has another form than the hub's."""


@dataclass(frozen=True)
class RemoteFile:
    """Size in bytes; the sha256 of a large file, the git object's id of a small one: the hub states one of them."""

    size: int
    sha256: str | None
    git: str | None = None

    def matches(self, path: Path) -> bool:
        """Tell whether a local file has the size and the checksum that the hub states."""
        from huggingface_hub.utils.sha import git_hash

        if not path.is_file() or path.stat().st_size != self.size:
            return False
        return sha256(path) == self.sha256 if self.sha256 else git_hash(path.read_bytes()) == self.git


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
        for path, pin in pins.items():
            self._compare(path, self.files[path].sha256 or pin, pin)

        local = {path: _folder(self.name, self.kind) / "snapshots" / self.commit / path for path in paths}
        missing = {path: file for path in paths if not (file := self.files[path]).matches(local[path])}
        if missing:
            size = sum(file.size for file in missing.values())
            listed = ", ".join(f"{path} {tqdm.format_sizeof(file.size, 'B')}" for path, file in missing.items())
            print(f"downloading {tqdm.format_sizeof(size, 'B')} of {self}: {listed}", flush=True)
            _require_space(size, sum(self.files[path].size for path in paths))
            with explain(self.name, self.kind):
                for path in missing:
                    self._download(path, local[path])
        for path, pin in pins.items():
            self._compare(path, self.files[path].sha256 or sha256(local[path]), pin)
        return local

    def _compare(self, path: str, actual: str, pin: str) -> None:
        if actual != pin:
            raise UserError(
                f"{path} of {self} has sha256 {actual}, but catalog.yaml expects {pin}: "
                "the hub's file is another one; pin the new one if the change is meant"
            )

    def _download(self, path: str, target: Path) -> None:
        """Download a file to its place in the cache, more than once where a fault may pass or other bytes arrive."""
        from huggingface_hub import constants, hf_hub_download
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

        constants.HF_HUB_DISABLE_XET = True
        for handler in logging.getLogger("huggingface_hub").handlers:
            handler.addFilter(_hide_keys)

        def attempt() -> None:
            # A damaged file is replaced, not removed first: another process may have replaced it in the meantime.
            options = {"revision": self.commit, "force_download": target.exists()}
            hf_hub_download(self.name, path, repo_type=self.kind, **options)
            if not self.files[path].matches(target):
                target.resolve().unlink(missing_ok=True)
                target.unlink(missing_ok=True)
                raise OSError(f"{path} arrives with other bytes than the hub lists, a proxy or mirror may alter it")

        Retrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=4),
            before_sleep=_announce,
            reraise=True,
        )(attempt)


def open_repository(name: str, kind: Kind, revision: str | None = None) -> Repository:
    """Return the repository `name` (ORG/NAME) at a branch, tag or commit; None means its main branch.

    A commit (40 hex digits) that was opened before needs no network. Raises UserError.
    """
    from huggingface_hub import constants, errors, utils

    try:
        utils.validate_repo_id(name)
    except errors.HFValidationError as error:
        raise UserError(f"{name!r} is not a name that the hub allows: {reason(error)}") from None
    notes = _folder(name, kind) / "listings"
    if revision and COMMIT.fullmatch(revision):
        # What a commit holds never changes.
        with suppress(OSError, *UNREADABLE):
            return _understand(name, kind, json.loads((notes / f"{revision}.json").read_text(encoding="utf-8")))

    # HfApi.repo_info would ask once only.
    url = f"{constants.ENDPOINT}/api/{kind}s/{name}" + (f"/revision/{quote(revision, safe='')}" if revision else "")
    options = {"params": {"blobs": True}, "headers": utils.build_hf_headers(), "timeout": constants.HF_HUB_ETAG_TIMEOUT}
    with explain(name, kind, revision):
        utils.hf_raise_for_status(response := utils.http_backoff("GET", url, **options))
        try:
            repository = _understand(name, kind, answer := response.json())
        except UNREADABLE as error:
            raise errors.FileMetadataError(reason(error)) from None
    notes.mkdir(parents=True, exist_ok=True)
    with utils.WeakFileLock(notes / f"{repository.commit}.lock"):
        known = {"sha": repository.commit, "siblings": answer["siblings"], "cardData": {"license": repository.licence}}
        write_json(notes / f"{repository.commit}.json", known)
    return repository


def _folder(name: str, kind: Kind) -> Path:
    """Return the folder of huggingface_hub's cache in which it keeps the repository's files."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type=kind)


def _understand(name: str, kind: Kind, answer: dict[str, Any]) -> Repository:
    """Turn the hub's answer into a repository; raise one of UNREADABLE where it isn't the hub's."""
    if not COMMIT.fullmatch(answer["sha"]):
        raise ValueError("no commit")
    stated = (answer.get("cardData") or {}).get("license")
    licence = ", ".join(stated) if isinstance(stated, list) else stated or "unknown"
    files = {}
    for file in answer["siblings"]:
        path = PurePosixPath(file["rfilename"])
        # A path that leads out of its folder is an attack: no repository that git made has one.
        if not path.name or ".." in path.parts or "\\" in str(path) or path.is_absolute():
            raise ValueError("unsafe path")
        # A large file's git object is a pointer, whose id says nothing about the bytes that come.
        sha256, git = (file["lfs"]["sha256"], None) if file.get("lfs") else (None, file["blobId"])
        files[file["rfilename"]] = RemoteFile(int(file["size"]), sha256, git)
    return Repository(name, kind, answer["sha"], licence, files)


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


def _passes(error: BaseException) -> bool:
    """Tell whether a fault may pass and is one at which huggingface_hub gives up at once."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500
    if isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError):
        return True
    # More, fewer or other bytes than the hub states; the errors of a disk have a number.
    return type(error) is OSError and error.errno is None


def _announce(state: "RetryCallState") -> None:
    from tqdm import tqdm

    if state.outcome and (error := state.outcome.exception()):
        tqdm.write(f"{brief(error)}; trying again in {state.upcoming_sleep:.0f} s")


def _hide_keys(record: logging.LogRecord) -> bool:
    """Cut the signature off the addresses of the hub's storage in huggingface_hub's warnings: it opens the file."""
    record.msg, record.args = re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", record.getMessage()), None
    return True
