"""A classifier to fine-tune: a new head on a pretrained encoder."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sentiment.core.errors import UserError, loading
from sentiment.core.labels import LABELS
from sentiment.core.params import Train
from sentiment.model.architecture import MeanPooledClassifier, MeanPooledConfig, without_pooler
from sentiment.training.layers import freeze, keep_layers

CPU = torch.device("cpu")


def build(
    pretrained: Path | str, tokenizer: PreTrainedTokenizerBase, params: Train, device: torch.device = CPU
) -> PreTrainedModel:
    """Put a new head on the pretrained encoder, or its lowest layers, and freeze what the parameters say.

    The head's weights are random, and so are the encoder's where the training is from scratch. The model lies on the
    device.
    """
    # On a CPU the backward pass of plain attention is faster than that of the fused kernel.
    attention = "eager" if device.type == "cpu" else None
    with loading(pretrained, "configuration"):
        config = AutoConfig.from_pretrained(pretrained, local_files_only=True)
    if params.layers is not None:
        keep_layers(config, params.layers)
    if params.dropout is not None:
        for name, value in config.to_dict().items():
            if "drop" in name and "layerdrop" not in name and isinstance(value, int | float):
                setattr(config, name, params.dropout)
    head = {
        "num_labels": len(LABELS),
        "id2label": LABELS,
        "label2id": {name: label for label, name in LABELS.items()},
        "pad_token_id": tokenizer.pad_token_id,
    }
    if params.pooling == "mean":
        # Saved beside the weights, so it must not name where they lay.
        config.name_or_path = ""
        model = MeanPooledClassifier._from_config(MeanPooledConfig(config, **head), attn_implementation=attention)
        if not params.from_scratch:
            model.encoder = without_pooler(_pretrained(AutoModel, pretrained, model.encoder.config, attention))
    else:
        config.update(head)
        if params.from_scratch:
            model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
        else:
            model = _pretrained(AutoModelForSequenceClassification, pretrained, config, attention)
    # Whatever precision the configuration names.
    model.float()
    _make_room(model, len(tokenizer))
    freeze(model, params.freeze)
    return model.to(device)


def _pretrained(kind: Any, folder: Path | str, config: PreTrainedConfig, attention: str | None) -> PreTrainedModel:
    """Load the encoder's weights in single precision, whatever they are stored in; raise UserError when some lack."""
    with loading(folder, "weights"):
        model, report = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            attn_implementation=attention,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    # What lies over the encoder is new in any case, and so may its pooler be.
    encoder = {id(weight) for name, weight in model.base_model.named_parameters() if not name.startswith("pooler.")}
    names = [name for name, weight in model.named_parameters() if id(weight) in encoder]
    lacking = [name for name in names if name in report["missing_keys"]]
    if lacking:
        raise UserError(
            f"{folder} lacks {len(lacking)} of the encoder's {len(names)} weights, {lacking[0]} among them: "
            "its weights are those of another architecture"
        )
    return model


def _make_room(model: PreTrainedModel, tokens: int) -> None:
    """Add embeddings where the tokenizer has more tokens than the model; spare ones do no harm."""
    encoder = model.base_model
    if encoder.get_input_embeddings().num_embeddings < tokens:
        encoder.resize_token_embeddings(tokens)
        if isinstance(model, MeanPooledClassifier):
            model.config.encoder.vocab_size = tokens
