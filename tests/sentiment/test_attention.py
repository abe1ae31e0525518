"""What must hold of attention for every family of models."""

import numpy as np
import pytest
import torch

from sentiment import classifier
from sentiment.attention import EAGER_IN_PLACE, ENCODERS, eager_attention
from tests.families import FAMILIES
from tests.sentiment.members import POOLINGS, Member


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_librarys_choice_of_attention_gives_the_same_logits(
    member: Member, sequences: list[list[int]], pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = member.logits(member.build(pooling=pooling), sequences[:8])
    monkeypatch.setattr(classifier, "device", lambda: torch.device("cuda"))
    model = member.build(pooling=pooling)
    kind = model.base_model.config._attn_implementation
    assert kind == ("eager" if member.family.model_type in {"xlnet", "deberta-v2"} else "sdpa")
    np.testing.assert_allclose(member.logits(model, sequences[:8]), expected, atol=1e-4)


@pytest.mark.parametrize(("bf16", "dropout"), [(True, 0.0), (False, 0.0), (False, 0.3)])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_eager_attention_in_place_gives_the_bits_of_the_librarys_own(
    member: Member, sequences: list[list[int]], pooling: str, bf16: bool, dropout: float
) -> None:
    model = member.build(pooling=pooling, dropout=dropout)
    found = member.learn(model, sequences[:8], bf16=bf16)
    kind = model.base_model.config._attn_implementation
    assert kind == ("eager" if member.family.model_type in {"xlnet", "deberta-v2"} else EAGER_IN_PLACE)
    if kind == EAGER_IN_PLACE:
        model.base_model.set_attn_implementation("eager")
    for ours, theirs in zip(found, member.learn(model, sequences[:8], bf16=bf16), strict=True):
        assert torch.equal(ours, theirs)


def test_the_attention_of_kinds_that_are_not_compared_is_the_librarys_own() -> None:
    assert {family.model_type for family in FAMILIES} >= ENCODERS
    assert eager_attention("gemma2") == "eager"
