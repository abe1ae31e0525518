"""The mean-pooled classifier: an encoder, the average of its hidden states, and a linear head."""

from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanPooledConfig(PreTrainedConfig):
    """An encoder's configuration, wrapped."""

    model_type = "mean_pooled_classifier"
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012

    def __init__(self, encoder: Any = None, **kwargs: Any) -> None:
        self.encoder = AutoConfig.for_model(**encoder) if isinstance(encoder, dict) else encoder
        super().__init__(**kwargs)


class MeanPooledClassifier(PreTrainedModel):
    """Any encoder, the average of its last hidden states over the real tokens, and a linear head.

    Averages serve sentence encoders better than the first token does (Reimers and Gurevych 2019, arXiv:1908.10084).
    """

    config_class = MeanPooledConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True

    def __init__(self, config: MeanPooledConfig) -> None:
        super().__init__(config)
        self.encoder = without_pooler(AutoModel.from_config(config.encoder))
        self.head = nn.Linear(config.encoder.hidden_size, config.num_labels)
        self.post_init()

    def features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the average of the last hidden states over the tokens that are not padding: [batch, hidden size]."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weight).sum(1) / weight.sum(1)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Return logits [batch, labels], and the mean cross-entropy where labels [batch] are given."""
        logits = self.head(self.features(input_ids, attention_mask))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


def without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    """Drop the layer over the first token that some encoders have; the average does not need it."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder
