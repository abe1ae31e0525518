"""A classifier to fine-tune: a new head on a pretrained encoder."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sentiment.core.errors import UserError, readable
from sentiment.core.labels import LABELS
from sentiment.model.architecture import MeanPooledClassifier, MeanPooledConfig, without_pooler
from sentiment.model.device import device
from sentiment.model.prediction import infer
from sentiment.params import Train
from sentiment.text.encoding import Padding
from sentiment.training.layers import check_layers, freeze, keep_layers


def build(pretrained: Path | str, tokenizer: PreTrainedTokenizerBase, params: Train) -> PreTrainedModel:
    """Put a new head on the pretrained encoder, or its lowest layers, and freeze what the parameters say.

    The head's weights are random, and so are the encoder's where the training is from scratch.
    """
    # On a CPU the backward pass of plain attention is faster than that of the fused kernel.
    attention = "eager" if device().type == "cpu" else None
    with readable(pretrained, "configuration"):
        config = AutoConfig.from_pretrained(pretrained, local_files_only=True)
    if params.layers is not None:
        keep_layers(config, params.layers)
    if params.dropout is not None:
        for name, value in config.to_dict().items():
            if "drop" in name and isinstance(value, int | float):
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
    check_layers(model, params)
    freeze(model, params.freeze, params.freeze_layers)
    return model


def _pretrained(kind: Any, folder: Path | str, config: PreTrainedConfig, attention: str | None) -> PreTrainedModel:
    """Load the encoder's weights in single precision, whatever they are stored in; raise UserError when some lack."""
    with readable(folder, "weights"):
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


def fit_head(model: MeanPooledClassifier, train: pa.Table, padding: Padding, precision: str) -> None:
    """Set the head to a logistic regression from the encoder's features to the labels of `train`.

    A random head's first gradients distort the features; a fitted one's do not, which serves reviews unlike those of
    the training most (Kumar et al. 2022, arXiv:2202.10054).
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    sequences = train["input_ids"].to_pylist()
    features = infer(
        model.features, model.eval(), sequences, padding, batch_size=64, precision=precision, title="probe"
    )
    # Its threads follow the machine's cores unless told otherwise, and the last bits of its sums follow the threads.
    with threadpool_limits(torch.get_num_threads()):
        probe = LogisticRegression(max_iter=10_000).fit(features, train["label"].to_numpy())
    # The probe has one output, the log odds of positive; half of it and its negative give two logits the same odds.
    weight = torch.tensor(probe.coef_ / 2, dtype=torch.float32)
    bias = torch.tensor(probe.intercept_ / 2, dtype=torch.float32)
    with torch.no_grad():
        model.head.weight.copy_(torch.cat([-weight, weight]))
        model.head.bias.copy_(torch.cat([-bias, bias]))
