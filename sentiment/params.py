"""The schema of params.yaml: every key, its type and its legal values, checked before any work."""

import re
import reprlib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sentiment.errors import UserError, reason

Name = Annotated[str, Field(min_length=1)]
Size = Annotated[int, Field(ge=100)] | None
Count = Annotated[int, Field(ge=1, lt=2**31)]
HalfAtMost = Annotated[float, Field(gt=0, le=0.5)]
Precision = Literal["auto", "fp32", "bf16"]
Schema = TypeVar("Schema", bound=BaseModel)


def label_name(label: Any) -> Any:
    """Return the one spelling of a label, whether it comes from YAML, a table or a text file: 1.0 is 1, Pos is pos."""
    if not isinstance(label, str | int | float):
        return label
    name = str(label).strip().casefold()
    return str(int(float(name))) if re.fullmatch(r"[+-]?\d{1,15}(\.0*)?", name, re.ASCII) else name


def _each_label_once(labels: Any) -> Any:
    names = [label_name(label) for label in labels] if isinstance(labels, dict) else []
    if len(set(names)) < len(names):
        raise ValueError(f"each label once, not {', '.join(map(str, labels))}")
    return labels


def _both_meanings(labels: dict[str, Any]) -> dict[str, Any]:
    if not {0, 1} <= set(labels.values()):
        raise ValueError("a label that means 0 (negative) and one that means 1 (positive)")
    return labels


Names = Annotated[
    list[Name], BeforeValidator(lambda names: [names] if isinstance(names, str) else names), Field(min_length=1)
]
"""One name, or a list of names."""
Labels = Annotated[
    dict[Annotated[Name, BeforeValidator(label_name)], Literal[0, 1, "drop"]],
    BeforeValidator(_each_label_once),
    AfterValidator(_both_meanings),
]
"""What a source's labels mean, by `label_name`; drop leaves the row out."""


class Strict(BaseModel):
    """Refuse unknown keys and values of another type; never convert silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Cleaning(Strict):
    """What is done to a review's text before anything reads it, in training and in use alike."""

    html_breaks: bool
    control_characters: bool
    unicode_nfc: bool


class Download(Strict):
    text: Names
    label: Name
    labels: Labels | None


class Subsample(Cleaning):
    train_size: Size
    test_size: Size
    validation_share: HalfAtMost
    test_share: HalfAtMost
    balance: bool
    near_duplicate: float = Field(ge=0.5, le=1)

    @property
    def cleaning(self) -> Cleaning:
        return Cleaning(**{name: getattr(self, name) for name in Cleaning.model_fields})


class Tokenize(Strict):
    max_length: int = Field(ge=8)
    train_max_length: Annotated[int, Field(ge=8)] | None
    truncation: Literal["head", "tail", "head_tail"]
    head_share: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _training_reads_no_more(self) -> Self:
        if self.train_max_length and self.train_max_length > self.max_length:
            raise ValueError(f"train_max_length of at most max_length, {self.max_length} (or none, which is the same)")
        return self

    @property
    def of_training(self) -> Self:
        """How the training reviews are cut."""
        return self.model_copy(update={"max_length": self.train_max_length or self.max_length})


class Train(Strict):
    epochs: int = Field(ge=1, le=1000)
    lr: float = Field(gt=0, le=0.1)
    batch_size: Count
    warmup_share: float = Field(ge=0, le=0.5)
    weight_decay: float = Field(ge=0, le=1)
    scheduler: Literal["linear", "cosine", "constant"]
    averaging: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=0.5)
    dropout: Annotated[float, Field(ge=0, lt=1)] | None
    layers: Annotated[int, Field(ge=1)] | None
    from_scratch: bool
    freeze: Literal["none", "embeddings", "encoder"]
    freeze_layers: int = Field(ge=0)
    lora_rank: int = Field(ge=0)
    layer_decay: float = Field(gt=0, le=1)
    pooling: Literal["mean", "first"]
    head: Literal["probe", "random"]
    precision: Precision
    data_workers: int = Field(ge=0, le=64)
    validations_per_epoch: Count
    max_minutes: float = Field(gt=0)
    fit_budget: bool

    @property
    def decisive(self) -> dict[str, Any]:
        """What the result depends on: all but who prepares the batches, and a time limit that doesn't shorten it."""
        return self.model_dump(exclude={"data_workers"} | (set() if self.fit_budget else {"max_minutes"}))

    @model_validator(mode="after")
    def _probe_needs_the_mean(self) -> Self:
        if self.head == "probe" and self.pooling != "mean":
            raise ValueError("head: random where pooling is first (the probe is fitted on averages)")
        return self

    @model_validator(mode="after")
    def _frozen_layers_have_frozen_embeddings(self) -> Self:
        if self.freeze_layers and self.freeze != "embeddings":
            raise ValueError("freeze: embeddings where freeze_layers is more than 0 (encoder freezes every layer)")
        return self

    @model_validator(mode="after")
    def _random_weights_learn(self) -> Self:
        if self.from_scratch and self.freeze != "none":
            raise ValueError("freeze: none where from_scratch is true (what is frozen would stay random)")
        return self

    @model_validator(mode="after")
    def _lora_has_a_frozen_encoder(self) -> Self:
        if self.lora_rank and self.freeze != "encoder":
            raise ValueError("freeze: encoder where lora_rank is more than 0 (LoRA learns updates of frozen weights)")
        return self


class Preprocessing(Strict):
    """What a model's texts go through before it reads them; saved beside the model."""

    cleaning: Cleaning
    tokenize: Tokenize


class Evaluate(Strict):
    batch_size: Count
    precision: Precision


class CrossDatasetEvaluate(Strict):
    size: Size


class Baseline(Strict):
    ngrams: int = Field(ge=1, le=5)
    C: float = Field(gt=0)


class CompareTokenizers(Strict):
    vocabulary: int = Field(ge=500)
    seeds: int = Field(ge=2, le=100)
    size: int = Field(ge=100)
    pretrained: list[Name]


class Export(Strict):
    accuracy_change: float = Field(ge=0, le=100)
    agreement: float = Field(ge=0, le=1)


class Params(Strict):
    model: Name
    dataset: Name
    cross_datasets: list[Name]
    seed: int = Field(ge=0, lt=2**32)
    threads: int = Field(ge=1, le=1024)
    portable: bool
    download: Download
    subsample: Subsample
    tokenize: Tokenize
    train: Train
    evaluate: Evaluate
    cross_dataset_evaluate: CrossDatasetEvaluate
    baseline: Baseline
    compare_tokenizers: CompareTokenizers
    export: Export

    @model_validator(mode="after")
    def _portable_bits_are_of_single_precision(self) -> Self:
        if self.portable and "bf16" in {self.train.precision, self.evaluate.precision}:
            raise ValueError("precision: auto or fp32 where portable is true (not every processor multiplies bf16)")
        return self

    @model_validator(mode="after")
    def _cross_datasets_are_other_ones(self) -> Self:
        if self.dataset in self.cross_datasets:
            raise ValueError(f"cross_datasets without {self.dataset}, which is the dataset that is trained on")
        if len(set(self.cross_datasets)) < len(self.cross_datasets):
            raise ValueError(f"each of cross_datasets once, not {', '.join(self.cross_datasets)}")
        for name in self.cross_datasets:
            # Each name is part of a stage's name, of its command and of its outputs' paths.
            if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", name):
                raise ValueError(
                    f"cross_datasets of letters, digits and . _ - /, not {name!r} "
                    "(rename the file; pin a revision by an entry of catalog.yaml)"
                )
        return self


NESTED = {"model_type": "keys with values", "dict_type": "keys with values", "list_type": "a list of names"}
"""What pydantic means by its names for types."""


def read_yaml(path: Path | str) -> Any:
    """Read YAML 1.2, where 3e-5 is a number (YAML 1.1 reads it as a string); raise UserError when it can't be."""
    try:
        return YAML(typ="safe", pure=True).load(Path(path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the project's folder, after the stage that makes it") from None
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or reason(error)
        raise UserError(f"{path}{place} is not YAML: {problem}") from None


def validate(schema: type[Schema], content: Any, path: Path | str) -> Schema:
    """Check `content` against `schema`; raise UserError naming each wrong key, its value and what is legal."""
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {_shown(content)}, but must hold keys with values")
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        mistakes = [_line(_sentence(schema, dict(detail))) for detail in error.errors(include_url=False)]
        unique = list(dict.fromkeys(mistakes))
        more = f"; and {len(unique) - 5} more" if len(unique) > 5 else ""
        raise UserError(f"{path}: " + "; ".join(unique[:5]) + more) from None


def _sentence(schema: type[BaseModel], detail: dict[str, Any]) -> str:
    keys = [str(part) for part in detail["loc"]]
    key = ".".join(keys) or "it"
    if detail["type"] == "extra_forbidden":
        legal = _keys(schema, keys[:-1])
        near = get_close_matches(keys[-1], legal, n=1)
        hint = f"did you mean {near[0]}?" if near else f"legal are {', '.join(legal)}"
        return f"{key} is unknown: {hint}"
    if detail["type"] == "missing":
        return f"{key} is missing: give it a value"
    if detail["type"] == "value_error":
        return f"{key} needs {detail['ctx']['error']}"
    if detail["type"] in NESTED:
        return f"{key} is {_shown(detail['input'])}, but must be {NESTED[detail['type']]}"
    requirement = detail["msg"].removeprefix("Input should be ")
    return f"{key} is {_shown(detail['input'])}, but must be {requirement}"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def _shown(value: Any) -> str:
    """Return the value as Python writes it, shortened: a few lines of YAML can stand for more than memory holds."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "a number of too many digits"


def _line(text: str, longest: int = 400) -> str:
    """Return the text on one line of bounded length, with escapes for what can't be printed."""
    text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text[:longest])
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _keys(schema: type[BaseModel], path: list[str]) -> list[str]:
    """List the keys that are legal at `path`, following nested models through unions, lists and mappings."""
    choices = [schema]
    for part in path:
        # A part that is no field is a mapping's key, or the tag that chose a union's member: its first field.
        chosen = next((model for model in choices if part in list(model.model_fields)[:1]), choices[0])
        field = chosen.model_fields.get(part)
        choices = (_models(field.annotation) if field else None) or [chosen]
    return list(choices[0].model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check the parameters; raise UserError naming each wrong key, its value and what is legal."""
    return validate(Params, read_yaml(path), path)


def load_preprocessing(model: Path) -> Preprocessing:
    """Read what a trained model's texts must go through; raise UserError when the file is missing or damaged."""
    path = model / "preprocessing.json"
    return validate(Preprocessing, read_yaml(path), path)
