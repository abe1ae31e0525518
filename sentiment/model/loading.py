"""Load a trained classifier and verify its files; save one so that transformers loads it without this project.

Importing this module registers MeanPooledClassifier, so that AutoModelForSequenceClassification loads either kind.
"""

import json
from pathlib import Path

from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sentiment.core.errors import UserError, loading
from sentiment.core.files import require_intact, write_json
from sentiment.core.params import PREPROCESSING, Preprocessing
from sentiment.model.architecture import MeanPooledClassifier, MeanPooledConfig
from sentiment.text.encoding import Encoder, head_of
from sentiment.text.normalization import self_contained

AutoConfig.register(MeanPooledConfig.model_type, MeanPooledConfig)
AutoModelForSequenceClassification.register(MeanPooledConfig, MeanPooledClassifier)
# Whoever has not imported this module loads the classes from a copy of their file, saved with the model.
MeanPooledConfig.register_for_auto_class()
MeanPooledClassifier.register_for_auto_class("AutoModelForSequenceClassification")

PROVENANCE = "provenance.json"
"""What train writes beside a model: all that its bits depend on, and the sha256 of its weights."""


def load(folder: Path | str) -> PreTrainedModel:
    """Load a trained classifier for evaluation; raise UserError when a file is missing, damaged or incomplete."""
    with loading(folder, "classifier"):
        provenance = Path(folder, PROVENANCE)
        made = json.loads(provenance.read_text(encoding="utf-8")) if provenance.is_file() else {}
        require_intact(Path(folder), made.get("outputs", {}), "train")
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, use_safetensors=True
        )
    if report["missing_keys"]:
        raise UserError(
            f"{folder} lacks the weights {', '.join(sorted(report['missing_keys']))}; dvc repro makes it anew"
        )
    return model.eval()


def plain_config(folder: Path | str) -> PretrainedConfig:
    """Return the configuration of a trained classifier as one of an architecture that every loader knows.

    It is for the classifier's graph, which needs no configuration to be built by.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if not isinstance(config, MeanPooledConfig):
        return config
    config.encoder.update({"id2label": config.id2label, "label2id": config.label2id})
    return config.encoder


def save(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, preprocessing: Preprocessing, folder: Path
) -> None:
    """Write a classifier, its tokenizer and what texts go through into a folder; transformers alone can load them."""
    cut = preprocessing.tokenize
    if isinstance(model, MeanPooledClassifier):
        special = Encoder(tokenizer, cut).special_tokens()
        model.config.max_tokens = cut.max_length
        model.config.head_tokens = len(special.before) + head_of(special.room(cut), cut)
    model.save_pretrained(folder)
    self_contained(tokenizer, preprocessing).save_pretrained(folder)
    _name_for_older_versions(folder / "tokenizer_config.json")
    write_json(folder / PREPROCESSING, preprocessing.model_dump())


def _name_for_older_versions(tokenizer: Path) -> None:
    """Name a tokenizer of no family by the class that transformers has had for years, not by its name since 5."""
    config = json.loads(tokenizer.read_text(encoding="utf-8"))
    if config["tokenizer_class"] == "TokenizersBackend":
        write_json(tokenizer, config | {"tokenizer_class": "PreTrainedTokenizerFast"})
