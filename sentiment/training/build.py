"""A classifier to fine-tune: a new head on a pretrained encoder."""

from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sentiment.core.errors import loading
from sentiment.core.labels import LABELS
from sentiment.core.params import Train
from sentiment.model.architecture import MeanPooledClassifier, MeanPooledConfig, without_pooler
from sentiment.model.pretrained import make_room, pretrained_weights
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
            model.encoder = without_pooler(pretrained_weights(AutoModel, pretrained, model.encoder.config, attention))
    else:
        config.update(head)
        if params.from_scratch:
            model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
        else:
            model = pretrained_weights(AutoModelForSequenceClassification, pretrained, config, attention)
    # Whatever precision the configuration names.
    model.float()
    make_room(model, len(tokenizer))
    freeze(model, params.freeze)
    return model.to(device)
