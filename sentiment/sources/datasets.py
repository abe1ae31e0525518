"""From a dataset's name to its reviews: of catalog.yaml, of the hub, or of a file or folder in own/."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sentiment.core.errors import UserError, setting
from sentiment.core.files import OWN, sha256, write_json
from sentiment.core.params import Download
from sentiment.sources.catalog import Catalog, DatasetEntry, SplitName
from sentiment.sources.hub import HUB_NAME, open_repository
from sentiment.sources.locations import HubSource
from sentiment.sources.own import SPLIT_WORD, own_splits
from sentiment.sources.split_reader import SplitReader, write_split
from sentiment.tables.formats import ENDINGS, find_format, find_input

PATH = re.compile(r"[/.~]|own/|.*\.(gz|bz2|zip)$", re.IGNORECASE)
"""How a name begins or ends that can only be meant as a path, beside the endings of tables."""


@dataclass(frozen=True)
class Dataset:
    """A dataset as its entry describes it, which is the catalog's or made of the parameters."""

    name: str
    entry: DatasetEntry
    in_catalog: bool


def download_dataset(name: str, options: Download, catalog: Catalog, folder: Path) -> None:
    """Write train.parquet, test.parquet where there is a test split, and origin.json; see `save` and `find`."""
    dataset = find(name, options, catalog)
    origin = save(dataset, {split: folder / f"{split}.parquet" for split in dataset.entry.splits})
    write_json(folder / "origin.json", origin)


def download_evaluation_split(name: str, options: Download, catalog: Catalog, folder: Path) -> None:
    """Write NAME.parquet, the test split or all there is, and NAME.origin.json; see `save` and `find`."""
    dataset = find(name, options, catalog)
    origin = save(dataset, {dataset.entry.evaluation_split: folder / f"{name}.parquet"})
    write_json(folder / f"{name}.origin.json", origin)


def find(name: str, options: Download, catalog: Catalog) -> Dataset:
    """Return the dataset of a name of the catalog, ORG/NAME[@REVISION] of the hub, or a file or folder in own/.

    What the catalog doesn't know gets an entry made of `options`. Raises UserError that says what a name may be.
    """
    if name in catalog.datasets:
        return Dataset(name, catalog.datasets[name], in_catalog=True)
    if own := _own_path(name):
        return Dataset(name, _own_entry(own, options), in_catalog=False)
    if known := HUB_NAME.fullmatch(name):
        return Dataset(name, _hub_entry(known["name"], known["revision"], options), in_catalog=False)
    return Dataset(name, catalog.dataset(name), in_catalog=True)


def _own_path(name: str) -> Path | None:
    """Return the path in own/ that is meant; None for a name of the catalog or the hub. Raises UserError."""
    path = Path(name).expanduser()
    elsewhere = path.is_absolute() or ".." in path.parts
    own = OWN / (path.name if elsewhere else path.relative_to(OWN) if path.is_relative_to(OWN) else path)
    if own.exists() and not elsewhere:
        return own
    if path.exists():
        copy = f"cp {'-r ' if path.is_dir() else ''}{shlex.quote(str(path))} {OWN}/"
        raise UserError(
            f"dataset {name} lies outside of {OWN}/, where nobody would notice its changes: "
            f"{copy}, then {setting('dataset', path.name)}"
        )
    if PATH.match(name) or find_input(name):
        near = get_close_matches(own.name, sorted(file.name for file in OWN.glob("*")), n=1)
        raise UserError(
            f"{own} is missing: {f'did you mean {near[0]}? ' if near else ''}put it there. Experiments with --temp or "
            f"--queue see only what git knows: git add {shlex.quote(str(own))}, or dvc add for a large file"
        )
    return None


def _entry(options: Download, **content: Any) -> DatasetEntry:
    return DatasetEntry.model_validate(options.model_dump() | {"description": "not in catalog.yaml"} | content)


def _own_entry(path: Path, options: Download) -> DatasetEntry:
    parts = own_splits(path) if path.is_dir() else {"train": path}
    folder = path.parent if path in parts.values() else path
    names = {split: part.relative_to(folder).as_posix() for split, part in parts.items()}
    files = {name: sha256(folder / name) for name in names.values()}
    splits = {split: {"file": name} for split, name in names.items()}
    return _entry(options, source={"folder": folder.as_posix()}, licence="your own", files=files, splits=splits)


def _hub_entry(name: str, revision: str | None, options: Download) -> DatasetEntry:
    repository = open_repository(name, "dataset", revision)
    parts = hub_splits(name, repository.files)
    files = {file: None for names in parts.values() for file in names}
    splits = {split: {"file": names} for split, names in parts.items()}
    if revision != repository.commit:
        print(f"it may change there; to keep this one: -S dataset={name}@{repository.commit}")
    source = {"hub": name, "revision": repository.commit}
    return _entry(options, source=source, licence=repository.licence, files=files, splits=splits)


def hub_splits(name: str, files: Iterable[str]) -> dict[SplitName, list[str]]:
    """Return which of a repository's files are its train and its test split, by the words in their paths.

    A validation split counts as the test split where there is none. Raises UserError where that leaves a choice.
    """
    found: dict[tuple[str, str], list[str]] = {}
    tables = [file for file in sorted(files) if find_format(file)]
    # A repository that has its tables as parquet often has them in their first form as well.
    tables = [file for file in tables if file.endswith(".parquet")] or tables
    for file in tables:
        *folders, last = file.split("/")
        words = [SPLIT_WORD.search(part.lower()) for part in (last, *reversed(folders))]
        if word := next(filter(None, words), None):
            configuration = "/".join(folder for folder in folders if not SPLIT_WORD.search(folder.lower()))
            found.setdefault((configuration, str(word.lastgroup)), []).append(file)
    remedy = "add an entry to catalog.yaml that names its files"
    configurations = sorted({configuration for configuration, split in found if split == "train"})
    if not found and len(tables) == 1:
        return {"train": tables}
    if not configurations:
        listed = ", ".join(tables[:10]) or f"no file that ends in {ENDINGS}"
        raise UserError(f"dataset {name} has no file named train; it has {listed}: {remedy}, or choose another")
    if len(configurations) > 1:
        listed = ", ".join(configuration or "(top folder)" for configuration in configurations)
        raise UserError(f"dataset {name} has several parts, {listed}, and one must be chosen: {remedy}")
    splits: dict[SplitName, list[str]] = {"train": found[configurations[0], "train"]}
    test = found.get((configurations[0], "test")) or found.get((configurations[0], "validation"))
    return splits | ({"test": test} if test else {})


def save(dataset: Dataset, targets: Mapping[SplitName, Path]) -> dict[str, Any]:
    """Fetch the splits of `targets`, verify and check them, and write each to its path in reviews.SCHEMA.

    Returns where they came from: dataset, licence, origin, revision, and the sha256 of each source file. Raises
    UserError when anything isn't what the entry says it is.
    """
    entry = dataset.entry
    print(f"dataset {dataset.name} from {entry.source}, licence {entry.licence}: {entry.description}")
    files = {file: entry.files[file] for split in targets for file in entry.splits[split].file}
    paths = entry.source.locate(files, "dataset")
    for split, target in targets.items():
        parts = [paths[file] for file in entry.splits[split].file]
        reader = SplitReader(entry, split, parts, in_catalog=dataset.in_catalog)
        write_split(reader, target)
        dropped = f", {reader.dropped:,} rows dropped by their label" if reader.dropped else ""
        print(f"{split}: {sum(reader.kept.values()):,} reviews{dropped}")
    hub = entry.source if isinstance(entry.source, HubSource) else None
    return {
        "dataset": dataset.name,
        "licence": entry.licence,
        "origin": hub.hub if hub else str(entry.source),
        "revision": hub.revision if hub else None,
        "files": {file: entry.files[file] or sha256(path) for file, path in paths.items()},
    }
