"""The schema of catalog.yaml, and what a name of params.yaml means there."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from sentiment.core.errors import UserError
from sentiment.core.labels import Labels
from sentiment.core.reading import Reading
from sentiment.core.schemas import Name, Names, Strict, read_yaml, validate
from sentiment.sources.locations import HubSource, Source

SplitName = Literal["train", "test"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Entry(Strict):
    """What models and datasets have in common."""

    description: str
    source: Source
    licence: str
    files: dict[Name, Sha256 | None] = Field(min_length=1)

    @model_validator(mode="after")
    def _only_the_hub_states_checksums(self) -> Self:
        if None in self.files.values() and not isinstance(self.source, HubSource):
            raise ValueError("a sha256 for each of its files (only the hub states checksums of its own)")
        return self


Known = TypeVar("Known", bound=Entry)


class ModelEntry(Entry):
    """A pretrained model; where its source is the hub, that is also its origin."""

    origin: Name
    revision: Name
    family: Name
    parameters: int = Field(gt=0)
    tokenization: Name
    max_length: int = Field(gt=0)

    @model_validator(mode="before")
    @classmethod
    def _the_hub_is_an_origin(cls, content: Any) -> Any:
        source = content.get("source") if isinstance(content, dict) else None
        if not isinstance(source, dict):
            return content
        keys = {"origin": "hub", "revision": "revision"}
        return {key: source[theirs] for key, theirs in keys.items() if theirs in source} | content


Condition = dict[Name, Names]
"""For each column the value, or the values, that a row may have there."""
Conditions = Annotated[list[Condition], BeforeValidator(lambda given: [given] if isinstance(given, dict) else given)]


class Split(Strict):
    """Which rows of which files make up a split: those that meet a condition of `where`, or all where there is none.

    There must be `rows` of them if that is given.
    """

    file: Names
    rows: Annotated[int, Field(gt=0)] | None = None
    where: Conditions = Field(default_factory=list)


class DatasetEntry(Entry, Reading):
    """A dataset: the columns of its reviews and labels, what these mean, its splits, and how it is read."""

    text: Names
    label: Name
    labels: Labels | None = None
    splits: dict[SplitName, Split]

    @model_validator(mode="after")
    def _splits_name_known_files(self) -> Self:
        for name, split in self.splits.items():
            for file in split.file:
                if file not in self.files:
                    raise ValueError(f"splits.{name}.file to be one of its files, not {file!r}")
        if "train" not in self.splits:
            raise ValueError("a train split")
        return self

    @property
    def evaluation_split(self) -> SplitName:
        """The split that another model is evaluated on: test where there is one, else all there is."""
        return "test" if "test" in self.splits else "train"


class Catalog(Strict):
    """The models and datasets that are known by a name."""

    models: dict[Name, ModelEntry]
    datasets: dict[Name, DatasetEntry]

    def model(self, name: str) -> ModelEntry:
        """Return the model's entry; raise UserError naming the legal names."""
        return _find(self.models, name, "model")

    def dataset(self, name: str) -> DatasetEntry:
        """Return the dataset's entry; raise UserError naming the legal names."""
        return _find(self.datasets, name, "dataset")


def _find(entries: dict[str, Known], name: str, kind: str) -> Known:
    if name in entries:
        return entries[name]
    near = get_close_matches(name, entries, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UserError(
        f"{kind} {name!r} is not in catalog.yaml: {hint}it has {', '.join(sorted(entries))}; "
        "others are ORG/NAME of the hub and own/NAME of yours"
    )


def load_catalog(path: Path | str = "catalog.yaml") -> Catalog:
    """Read and check the catalog; raise UserError naming each wrong key."""
    return validate(Catalog, read_yaml(path), path)
