"""Where a catalog entry's files come from: an installed package, a folder, the hub.

Each source has `locate(files, kind)`, which returns the files' local paths, downloaded if need be. `files` has the
sha256 of each; None, which only the hub may have, leaves it to the hub's own checksum. It raises UserError for a file
that is missing or another one.
"""

import importlib.util
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from sentiment.core.errors import UserError
from sentiment.core.files import sha256
from sentiment.core.schemas import Name, Strict
from sentiment.sources.hub import Kind, open_repository


class PackageSource(Strict):
    """Data files inside an installed Python package, whose code is never imported."""

    package: Annotated[str, Field(pattern=r"^\w+$")]
    folder: Name

    def locate(self, files: Mapping[str, str | None], kind: Kind) -> dict[str, Path]:
        # importlib.resources would import the package, and so run a third party's code; finding it does not.
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise UserError(f"the {kind}'s package {self.package} is not installed: pip install -r requirements.txt")
        return _verify(Path(spec.origin).parent / self.folder, files, str(self))

    def __str__(self) -> str:
        return f"package {self.package}"


class FolderSource(Strict):
    """Files of this repository or this machine."""

    folder: Name

    def locate(self, files: Mapping[str, str | None], kind: Kind) -> dict[str, Path]:
        return _verify(Path(self.folder), files, str(self))

    def __str__(self) -> str:
        return f"folder {self.folder}"


class HubSource(Strict):
    """Files of the Hugging Face hub at a pinned commit; see sentiment.sources.hub."""

    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]

    def locate(self, files: Mapping[str, str | None], kind: Kind) -> dict[str, Path]:
        return open_repository(self.hub, kind, self.revision).fetch(list(files), files)

    def __str__(self) -> str:
        return f"hub {self.hub} at {self.revision[:8]}"


def _kind_of_source(content: Any) -> str:
    """Tell the sources apart by their keys, so that a mistake is held against the one that was meant."""
    keys = list(content) if isinstance(content, dict) else []
    near = (kind for kind in ("hub", "revision", "package") if get_close_matches(kind, keys, n=1))
    return {"revision": "hub"}.get(kind := next(near, "folder"), kind)


Source = Annotated[
    Annotated[PackageSource, Tag("package")]
    | Annotated[FolderSource, Tag("folder")]
    | Annotated[HubSource, Tag("hub")],
    Discriminator(_kind_of_source),
]


def _verify(folder: Path, files: Mapping[str, str | None], source: str) -> dict[str, Path]:
    paths = {file: folder / file for file in files}
    for file, path in paths.items():
        if not path.exists():
            raise UserError(f"{file} is missing in {source}: restore it, or correct the entry in catalog.yaml")
        if (actual := sha256(path)) != files[file]:
            raise UserError(
                f"{file} of {source} has sha256 {actual}, but catalog.yaml expects {files[file]}: "
                "it was changed or damaged; restore it, or pin the new one if the change is meant"
            )
    return paths
