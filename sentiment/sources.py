"""Where files come from: an installed package, a folder, the hub. One method, `locate`, for all of them."""

import importlib.util
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from sentiment.errors import UserError, reason
from sentiment.files import sha256
from sentiment.params import Name, Strict

Kind = Literal["model", "dataset"]


class PackageSource(Strict):
    """Data files inside an installed Python package, whose code is never imported."""

    package: Annotated[str, Field(pattern=r"^\w+$")]
    folder: Name

    def locate(self, file: str, kind: Kind) -> Path:
        # importlib.resources would import the package, and so run a third party's code; finding it does not.
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise UserError(f"the {kind}'s package {self.package} is not installed: pip install -r requirements.txt")
        return Path(spec.origin).parent / self.folder / file

    def __str__(self) -> str:
        return f"package {self.package}"


class FolderSource(Strict):
    """Files of this repository or this machine."""

    folder: Name

    def locate(self, file: str, kind: Kind) -> Path:
        return Path(self.folder) / file

    def __str__(self) -> str:
        return f"folder {self.folder}"


class HubSource(Strict):
    """Files of the Hugging Face hub at a pinned commit; HF_ENDPOINT, HF_TOKEN and proxies are respected."""

    hub: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]

    def locate(self, file: str, kind: Kind) -> Path:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HTTPError

        try:
            return Path(hf_hub_download(self.hub, file, repo_type=kind, revision=self.revision))
        except (HTTPError, OSError, ValueError) as error:
            raise UserError(
                f"{file} could not be downloaded from {self}: {reason(error)} "
                "(no network? the default model and dataset need none)"
            ) from None

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


def locate(source: Source, file: str, expected: str, kind: Kind) -> Path:
    """Return the local path of a source's file; raise UserError when it is missing or its sha256 isn't `expected`."""
    path = source.locate(file, kind)
    if not path.is_file():
        raise UserError(f"{file} is missing in {source}: restore it, or correct the entry in catalog.yaml")
    actual = sha256(path)
    if actual != expected:
        raise UserError(
            f"{file} of {source} has sha256 {actual}, but catalog.yaml expects {expected}: "
            "it was changed or damaged; restore it, or pin the new one if the change is meant"
        )
    return path
