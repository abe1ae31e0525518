"""Freezing, cutting and adapting layers, in every family."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.model.loading import load
from sentiment.text.encoding import load_tokenizer
from sentiment.training.build import build
from sentiment.training.lora import add_updates, merge_updates
from tests.families import FAMILIES

POOLINGS = ["mean", pytest.param("first", marks=pytest.mark.slow)]
EMBEDDINGS = r"\b(\w*embeddings?(_\w+)?|wte|wpe|mask_emb)\."
"""Names of what feeds the layers, in any family; DeBERTa's norm of the relative positions has a name of its own."""

Build = Callable[..., PreTrainedModel]


@pytest.fixture(scope="module", params=FAMILIES, ids=str)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("layers") / request.param.model_type
    request.param.write(folder, real=False)
    torch.set_num_threads(1)
    return request.param.model_type, folder


@pytest.fixture(scope="module")
def own_tokenizer(family: tuple[str, Path]) -> PreTrainedTokenizerBase:
    return load_tokenizer(family[1])


@pytest.fixture
def make(family: tuple[str, Path], own_tokenizer: PreTrainedTokenizerBase, params_with: Callable[..., Params]) -> Build:
    def make(**train: Any) -> PreTrainedModel:
        torch.manual_seed(1)
        return build(family[1], own_tokenizer, params_with(train=train).train)

    return make


def of_layer(name: str) -> int | None:
    """Return the number of the layer that a weight's name says, the lowest being 1."""
    found = re.search(r"\b(layer|layers|h|albert_layer_groups)\.(\d+)\.", name)
    return int(found[2]) + 1 if found else None


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("freeze", ["none", "embeddings", "encoder"])
def test_freezing_stops_exactly_those_gradients(make: Build, pooling: str, freeze: str) -> None:
    model = make(pooling=pooling, freeze=freeze)
    names = [name for name, _ in model.named_parameters()]
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    encoder = {f"{model.base_model_prefix}.{name}" for name, _ in model.base_model.named_parameters()}
    feeds = {
        name
        for name in names
        if not of_layer(name) and (re.search(EMBEDDINGS, name + ".") or "encoder.LayerNorm." in name)
    }
    assert frozen == {"none": set(), "embeddings": feeds, "encoder": encoder}[freeze]
    assert 0 < len(feeds) < len(encoder) < len(names)


def test_the_gradient_ends_at_frozen_embeddings(make: Build, own_tokenizer: PreTrainedTokenizerBase) -> None:
    model = make(pooling="mean", freeze="embeddings").train()
    reached = []

    def record(layer: torch.nn.Module, arguments: Any) -> None:
        reached.append(arguments[0].requires_grad if arguments else False)

    stack = next(module for module in model.base_model.modules() if isinstance(module, torch.nn.ModuleList))
    stack[0].register_forward_pre_hook(record)
    ids = torch.tensor([own_tokenizer("the film was good")["input_ids"]])
    model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=torch.tensor([1])).loss.backward()
    assert not reached[0]
    learned = {name for name, weight in model.named_parameters() if weight.grad is not None}
    # XLNet's layers have weights for pairs of texts, which a single one leaves alone.
    assert learned <= {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {of_layer(name) for name in learned} >= {1, None}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_lowest_layers_alone_compute_what_they_compute_within_the_whole(
    family: tuple[str, Path], make: Build, own_tokenizer: PreTrainedTokenizerBase, tmp_path: Path, pooling: str
) -> None:
    whole, cut = make(pooling=pooling).eval(), make(pooling=pooling, layers=1).eval()
    ids = torch.tensor([own_tokenizer("the film was good")["input_ids"]])
    with torch.inference_mode():
        hidden = [
            model.base_model(
                input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
            ).hidden_states
            for model in (whole, cut)
        ]
    assert (len(hidden[0]), len(hidden[1])) == (3, 2)
    torch.testing.assert_close(hidden[1][0], hidden[0][0])
    if family[0] not in {"gpt2", "modernbert"}:  # their last state has been through a norm
        torch.testing.assert_close(hidden[1][1], hidden[0][1])
    assert cut.num_parameters() < whole.num_parameters() or family[0] == "albert"
    cut.save_pretrained(tmp_path)
    again = load(tmp_path)
    assert again.base_model.config.num_hidden_layers == 1
    with torch.inference_mode():
        logits = [model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits for model in (cut, again)]
    torch.testing.assert_close(*logits)


def test_more_layers_than_there_are_are_refused(make: Build) -> None:
    sentence = "params.yaml: train.layers is 3, but the model has 2: lower it, or leave it empty to take all"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        make(layers=3)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_training_from_scratch_has_the_architecture_and_none_of_the_weights(make: Build, pooling: str) -> None:
    pretrained = make(pooling=pooling, freeze="none")
    scratch = make(pooling=pooling, freeze="none", from_scratch=True, pretrained_share=0.0)
    assert {name: weight.shape for name, weight in scratch.named_parameters()} == {
        name: weight.shape for name, weight in pretrained.named_parameters()
    }
    kept = dict(pretrained.named_parameters())
    same = {name for name, weight in scratch.named_parameters() if torch.equal(weight, kept[name])}
    drawn = {name for name, weight in scratch.base_model.named_parameters() if len(weight.unique()) > 1}
    assert drawn
    assert not {name for name in same if name.removeprefix(f"{scratch.base_model_prefix}.") in drawn}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_lora_changes_nothing_at_first_and_leaves_a_plain_model_with_its_updates(
    make: Build, own_tokenizer: PreTrainedTokenizerBase, pooling: str
) -> None:
    model = make(pooling=pooling, freeze="encoder").eval()
    names = [name for name, _ in model.named_parameters()]
    ids = torch.tensor([own_tokenizer("the film was good")["input_ids"]])

    def logits() -> torch.Tensor:
        with torch.inference_mode():
            return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

    before = logits()
    add_updates(model.base_model, 2)
    torch.testing.assert_close(logits(), before)
    learns = {name for name, weight in model.named_parameters() if weight.requires_grad}
    head = {name for name in names if not name.startswith(f"{model.base_model_prefix}.")}
    updates = {name for name in learns if "lora_" in name}
    assert learns == head | updates
    assert all(of_layer(name) for name in updates)
    for name, weight in model.named_parameters():
        if name in updates:
            torch.nn.init.normal_(weight.data)
    updated = logits()
    assert not torch.allclose(updated, before)
    merge_updates(model.base_model)
    assert [name for name, _ in model.named_parameters()] == names
    torch.testing.assert_close(logits(), updated, atol=1e-4, rtol=1e-4)
