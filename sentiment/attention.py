"""The library's eager attention with one tensor less: its scores are scaled where they are.

Importing this module registers it by the name EAGER_IN_PLACE.
"""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

EAGER_IN_PLACE = "eager_in_place"

ENCODERS = frozenset({"albert", "bert", "distilbert", "electra", "gpt2", "modernbert", "roberta"})
"""The kinds of encoder whose own eager attention is this one; others add positions to the scores, or cap them."""


def eager_attention(model_type: str) -> str:
    """Return the name of the fastest eager attention of a kind of encoder."""
    return EAGER_IN_PLACE if model_type in ENCODERS else "eager"


def _eager_in_place(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Return softmax(query key^T scaling + mask) value, [batch, tokens, heads, size], of [batch, heads, tokens, size].

    `scaling` is 1 / sqrt(size) where none is given (Vaswani et al. 2017, arXiv:1706.03762). No gradient needs the
    scores before they are scaled.
    """
    scores = torch.matmul(query, key.transpose(-1, -2)).mul_(query.size(-1) ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = nn.functional.dropout(nn.functional.softmax(scores, dim=-1), dropout, module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


AttentionInterface.register(EAGER_IN_PLACE, _eager_in_place)
AttentionMaskInterface.register(EAGER_IN_PLACE, eager_mask)
