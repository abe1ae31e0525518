"""Load a trained classifier and verify its files.

Importing this module registers MeanPooledClassifier, so that AutoModelForSequenceClassification loads either kind.
"""

import json
from pathlib import Path

from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from sentiment.core.errors import UserError, loading
from sentiment.core.files import require_intact
from sentiment.model.architecture import MeanPooledClassifier, MeanPooledConfig

AutoConfig.register(MeanPooledConfig.model_type, MeanPooledConfig)
AutoModelForSequenceClassification.register(MeanPooledConfig, MeanPooledClassifier)

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
