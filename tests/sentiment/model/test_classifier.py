"""A classifier as it is built, saved, loaded, and asked."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from sentiment.model.loading import load
from sentiment.model.prediction import fused_attention, predict
from sentiment.text.encoding import Padding

Build = Callable[..., PreTrainedModel]
POOLINGS = ["mean", "first"]


@pytest.fixture
def sequences(encoded: pa.Table) -> list[list[int]]:
    return encoded["input_ids"].to_pylist()[:24]


def logits_of(model: PreTrainedModel, sequences: list[list[int]], padding: Any, batch_size: int = 16) -> np.ndarray:
    return predict(model, sequences, padding, batch_size=batch_size, precision="fp32")


def test_no_attention_is_planned_anew_for_each_length_of_a_batch() -> None:
    assert not torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_saved_classifier_gives_the_same_logits(
    build_with: Build, sequences: list[list[int]], padding: Padding, tmp_path: Path, pooling: str
) -> None:
    model = build_with(pooling=pooling)
    model.save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert not loaded.training
    assert loaded.config.id2label == {0: "negative", 1: "positive"}
    expected = logits_of(model, sequences, padding)
    assert expected.shape == (24, 2)
    assert len(np.unique(expected[:, 0])) > 12
    np.testing.assert_allclose(logits_of(loaded, sequences, padding), expected, atol=1e-6)


def test_the_longest_reviews_are_read_first_so_that_their_memory_serves_all(
    build_with: Build, sequences: list[list[int]], padding: Padding
) -> None:
    widths = []

    def record(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        batch = padding(rows)
        widths.append(batch["input_ids"].shape[1])
        return batch

    logits_of(build_with(), sequences, record, batch_size=5)
    assert len(widths) == 5
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) > 2


def test_the_mean_is_that_of_the_real_tokens(build_with: Build, sequences: list[list[int]], padding: Padding) -> None:
    model = build_with().eval()
    batch = padding([{"input_ids": ids} for ids in sequences[:9]])
    with torch.inference_mode():
        features = model.features(**batch)
        for ids, row in zip(sequences, features, strict=False):
            hidden = model.encoder(input_ids=torch.tensor([ids])).last_hidden_state[0]
            torch.testing.assert_close(row, hidden.mean(0), atol=1e-5, rtol=1e-5)


def test_the_loss_is_the_mean_cross_entropy(build_with: Build, sequences: list[list[int]], padding: Padding) -> None:
    model = build_with().eval()
    output = model(**padding([{"input_ids": ids, "labels": i % 2} for i, ids in enumerate(sequences[:8])]))
    likelihoods = output.logits.softmax(1)[range(8), [0, 1] * 4]
    torch.testing.assert_close(output.loss, -likelihoods.log().mean())


@pytest.mark.parametrize("pooling", POOLINGS)
def test_attention_is_fused_while_reading_and_plain_again_for_learning(
    build_with: Build, sequences: list[list[int]], padding: Padding, pooling: str
) -> None:
    model = build_with(pooling=pooling).eval()
    attention = model.base_model.config
    batch = padding([{"input_ids": ids} for ids in sequences])
    with torch.inference_mode():
        plain = model(**batch).logits
        with fused_attention(model):
            assert attention._attn_implementation == "sdpa"
            torch.testing.assert_close(model(**batch).logits, plain, atol=1e-5, rtol=1e-4)
    assert attention._attn_implementation == "eager"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_dropout_reaches_every_layer_and_empty_keeps_the_models_own(build_with: Build, pooling: str) -> None:
    for dropout, expected in ((0.25, 0.25), (0.0, 0.0), (None, 0.1)):
        model = build_with(pooling=pooling, dropout=dropout)
        rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
        assert len(rates) >= 5
        assert set(rates) == {expected}
        attention = [module.dropout_prob for module in model.modules() if hasattr(module, "dropout_prob")]
        assert set(attention) <= {expected}


def test_a_saved_config_does_not_name_where_the_encoder_lay(
    build_with: Build, pretrained: Path, tmp_path: Path
) -> None:
    build_with(pooling="mean").save_pretrained(tmp_path)
    assert str(pretrained) not in (tmp_path / "config.json").read_text()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_weights_that_are_stored_in_half_precision_are_learnt_from_in_single(
    build_with: Build, pretrained: Path, tmp_path: Path, pooling: str
) -> None:
    folder = tmp_path / "half"
    shutil.copytree(pretrained, folder)
    weights = load_file(folder / "model.safetensors")
    save_file({name: weight.half() for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    model = build_with(folder, pooling=pooling)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    for name, weight in build_with(pooling=pooling).state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_old_names_of_norms_are_understood(build_with: Build, pretrained: Path, tmp_path: Path, pooling: str) -> None:
    folder = tmp_path / "old"
    shutil.copytree(pretrained, folder)
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): weight + 0.25
        for name, weight in load_file(folder / "model.safetensors").items()
    }
    assert sum("gamma" in name for name in old) == 5
    save_file(old, folder / "model.safetensors", {"format": "pt"})
    model = build_with(folder, pooling=pooling)
    norms = [module for module in model.base_model.modules() if isinstance(module, nn.LayerNorm)]
    assert len(norms) == 5
    assert all((norm.weight == 1.25).all() and (norm.bias == 0.25).all() for norm in norms)
