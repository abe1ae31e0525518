"""The schema of params.yaml: every key, its type and its legal values, checked before any work."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sentiment.core.labels import Labels
from sentiment.core.reading import Columns, Delimiter, Encoding, Reading
from sentiment.core.schemas import Name, Names, Strict, read_yaml, validate

Size = Annotated[int, Field(ge=100)] | None
Count = Annotated[int, Field(ge=1, lt=2**31)]
HalfAtMost = Annotated[float, Field(gt=0, le=0.5)]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "portable"]


def _trackers(names: Any) -> Any:
    """Return the names as a list, of which `none` is the empty one."""
    if names in ("none", ["none"]):
        return []
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or any(name not in TRACKERS for name in listed):
        raise PydanticCustomError("trackers", "none, or one or several of tensorboard, mlflow and wandb")
    return listed


TRACKERS = ("tensorboard", "mlflow", "wandb")
Trackers = Annotated[list[str], BeforeValidator(_trackers)]


class Cleaning(Strict):
    """What is done to a review's text before anything reads it, in training and in use alike."""

    html_breaks: bool


class Download(Reading):
    text: Names
    label: Name
    labels: Labels | None


class DownloadSection(Download):
    """The section of params.yaml, where every key has to stand."""

    encoding: Encoding | None
    delimiter: Delimiter | None
    columns: Columns | None


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
    head_share: float = Field(ge=0, le=1)
    parts: list[Annotated[int, Field(ge=1, le=100)]] = Field(min_length=1)

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
    epochs: float = Field(gt=0, le=1000)
    lr: float = Field(gt=0, le=0.1)
    batch_size: Count
    device_batch_size: Count | None
    warmup_share: float = Field(ge=0, le=0.5)
    scheduler: Literal["linear", "cosine", "constant"]
    class_weights: Literal["none", "balanced"]
    averaging: float = Field(ge=0, lt=1)
    runs: int = Field(ge=1, le=100)
    pretrained_share: float = Field(ge=0, lt=1)
    dropout: Annotated[float, Field(ge=0, lt=1)] | None
    layers: Annotated[int, Field(ge=1)] | None
    from_scratch: bool
    freeze: Literal["none", "embeddings", "encoder"]
    lora_rank: int = Field(ge=0)
    pooling: Literal["mean", "first"]
    correct_bias: Literal["none", "sentences", "by_length"]
    validations_per_epoch: Count
    processes: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]
    max_minutes: float = Field(gt=0)
    over_time: Literal["run", "shorten", "stop"]
    report_to: Trackers

    @property
    def decisive(self) -> dict[str, Any]:
        """What the result depends on: all but trackers, and a time limit that doesn't shorten the training.

        The number of processes is part of the environment, as auto says nothing of it.
        """
        without = {"processes", "report_to"} | (set() if self.over_time == "shorten" else {"max_minutes", "over_time"})
        return self.model_dump(exclude=without | (set() if self.device_batch_size else {"device_batch_size"}))

    @field_validator("processes", mode="before")
    @classmethod
    def _a_number_or_auto(cls, value: Any) -> Any:
        if value != "auto" and (type(value) is not int or not 1 <= value <= 1024):
            raise PydanticCustomError("processes", "auto or a whole number from 1 to 1024")
        return value

    @model_validator(mode="after")
    def _a_shortened_training_runs_once(self) -> Self:
        if self.over_time == "shorten" and self.runs > 1:
            raise ValueError("runs: 1 where over_time is shorten (each run would be timed, and end elsewhere)")
        return self

    @model_validator(mode="after")
    def _random_weights_learn(self) -> Self:
        if self.from_scratch and self.freeze != "none":
            raise ValueError("freeze: none where from_scratch is true (what is frozen would stay random)")
        return self

    @model_validator(mode="after")
    def _random_weights_are_not_mixed_in(self) -> Self:
        if self.from_scratch and self.pretrained_share:
            raise ValueError("pretrained_share: 0 where from_scratch is true (there are no pretrained weights)")
        return self

    @model_validator(mode="after")
    def _lora_has_a_frozen_encoder(self) -> Self:
        if self.lora_rank and self.freeze != "encoder":
            raise ValueError("freeze: encoder where lora_rank is more than 0 (LoRA learns updates of frozen weights)")
        return self


class Spelling(Strict):
    """How a tokenizer spells texts: tokens per word, punctuation marks being words, and the share of unknown tokens."""

    tokens_per_word: float = Field(ge=0)
    unknown_share: float = Field(ge=0, le=1)


class Preprocessing(Strict):
    """What a model's texts go through before it reads them; saved beside the model.

    `emoji` are those that its tokenizer can't spell, each with the name that is written instead. `spelling` is that of
    the training reviews; models made before it was saved have none.
    """

    cleaning: Cleaning
    emoji: dict[str, str]
    tokenize: Tokenize
    spelling: Spelling | None = None


class Evaluate(Strict):
    batch_size: Count
    threshold: Annotated[float, Field(gt=0, lt=1)] | Literal["fitted"]
    maximize: Literal["balanced_accuracy", "f1", "mcc", "accuracy"]
    sure_at: float = Field(ge=0.5, lt=1)

    @field_validator("threshold", mode="before")
    @classmethod
    def _a_number_or_fitted(cls, value: Any) -> Any:
        if value != "fitted" and not (type(value) is float and 0 < value < 1):
            raise PydanticCustomError("threshold", "fitted or a number between 0 and 1")
        return value


class CrossDatasetEvaluate(Strict):
    size: Size


class Baseline(Strict):
    rivals: list[Literal["TF-IDF", "NB n-grams", "encoder averages"]] = Field(min_length=1)
    C: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)


class CompareTokenizers(Strict):
    vocabulary: int = Field(ge=500)
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
    device: Device
    precision: Precision
    download: DownloadSection
    subsample: Subsample
    tokenize: Tokenize
    train: Train
    evaluate: Evaluate
    cross_dataset_evaluate: CrossDatasetEvaluate
    baseline: Baseline
    compare_tokenizers: CompareTokenizers
    export: Export

    @model_validator(mode="after")
    def _portable_bits_are_the_cpus(self) -> Self:
        if self.precision == "portable" and self.device not in {"auto", "cpu"}:
            raise ValueError(
                f"device: cpu where precision is portable (the bits of {self.device} are those of one kind of GPU)"
            )
        return self

    @model_validator(mode="after")
    def _cross_datasets_are_other_ones(self) -> Self:
        if self.dataset in self.cross_datasets:
            raise ValueError(f"cross_datasets without {self.dataset}, which is the dataset that is trained on")
        if len(set(self.cross_datasets)) < len(self.cross_datasets):
            raise ValueError(f"each of cross_datasets once, not {', '.join(self.cross_datasets)}")
        for name in self.cross_datasets:
            # Each name is part of its files' paths.
            if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", name):
                raise ValueError(
                    f"cross_datasets of letters, digits and . _ - /, not {name!r} "
                    "(rename the file; pin a revision by an entry of catalog.yaml)"
                )
        return self


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check the parameters; raise UserError naming each wrong key, its value and what is legal."""
    return validate(Params, read_yaml(path), path)


PREPROCESSING = "preprocessing.json"


def load_preprocessing(folder: Path) -> Preprocessing:
    """Read what texts went, and must go, through; raise UserError when the file is missing or damaged."""
    path = folder / PREPROCESSING
    return validate(Preprocessing, read_yaml(path), path)
