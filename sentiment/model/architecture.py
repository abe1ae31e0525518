"""The mean-pooled classifier: an encoder, the average of its hidden states, and a linear head.

transformers has no such architecture, so this file is saved beside the weights, for whoever loads them without the rest
of the project: it must need torch and transformers only, the latter from 4.57 on.
"""

from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput


class MeanPooledConfig(PretrainedConfig):
    """An encoder's configuration, wrapped.

    Of a text of more than `max_tokens` the first `head_tokens` are read and as many from its end as there is room for,
    special tokens included; where `max_tokens` is None, all are.
    """

    model_type = "mean_pooled_classifier"
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012

    def __init__(self, encoder: Any = None, max_tokens: int | None = None, head_tokens: int = 0, **kwargs: Any) -> None:
        self.encoder = AutoConfig.for_model(**encoder) if isinstance(encoder, dict) else encoder
        self.max_tokens = max_tokens
        self.head_tokens = head_tokens
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
        most = self.config.max_tokens
        if most is not None and input_ids.shape[1] > most:
            input_ids, attention_mask = head_and_tail(input_ids, attention_mask, most, self.config.head_tokens)
        logits = self.head(self.features(input_ids, attention_mask))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


def head_and_tail(
    input_ids: torch.Tensor, attention_mask: torch.Tensor, most: int, head: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut the middle out of the rows [batch, length] with more than `most` tokens, after their first `head`.

    Returns ids and mask [batch, most], padded on the right.
    """
    first, length = attention_mask.argmax(1, keepdim=True), attention_mask.sum(1, keepdim=True)
    place = torch.arange(most, device=input_ids.device).unsqueeze(0)
    kept = first + place + torch.where(place < head, 0, (length - most).clamp(min=0))
    return input_ids.gather(1, kept.clamp(max=input_ids.shape[1] - 1)), (place < length).to(attention_mask.dtype)


def without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    """Drop the layer over the first token that some encoders have; the average does not need it."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder
