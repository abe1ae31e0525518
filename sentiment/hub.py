"""The Hugging Face hub: what a repository holds at a commit, and its files, fetched, verified and cached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class RemoteFile:
    """Size in bytes, and the sha256 where the hub states one (it does for large files)."""

    size: int
    sha256: str | None


@dataclass(frozen=True)
class Repository:
    """A repository at one commit; `files` has every path in it, `licence` is "unknown" where none is stated."""

    name: str
    kind: Kind
    commit: str
    licence: str
    files: dict[str, RemoteFile]

    def fetch(self, paths: Sequence[str], expected: Mapping[str, str | None] | None = None) -> dict[str, Path]:
        """Return where each of `paths` lies in the local cache, downloaded where it isn't there yet.

        Says what will be downloaded and how large it is before it starts. `expected` has the sha256 that a path must
        have; where it has none, or None, the hub's own checksum counts. Raises UserError, and nothing else, for every
        fault of the network, the disk or the hub.
        """
        raise NotImplementedError


def open_repository(name: str, kind: Kind, revision: str | None = None) -> Repository:
    """Return the repository `name` (ORG/NAME) at a branch, tag or commit; None means its main branch.

    A commit (40 hex digits) that was opened before needs no network. Raises UserError.
    """
    raise NotImplementedError
