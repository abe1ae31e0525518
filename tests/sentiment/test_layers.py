"""Freezing and layer-wise learning rates, in every family."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sentiment.classifier import build
from sentiment.encoding import load_tokenizer
from sentiment.errors import UserError
from sentiment.layers import depths
from sentiment.params import Params
from sentiment.training import by_learning_rate
from tests.families import FAMILIES

POOLINGS = ["mean", "first"]
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
        return build(family[1], own_tokenizer, params_with(train={"head": "random"} | train).train)

    return make


def of_layer(name: str) -> int | None:
    """Return the number of the layer that a weight's name says, the lowest being 1."""
    found = re.search(r"\b(layer|layers|h|albert_layer_groups)\.(\d+)\.", name)
    return int(found[2]) + 1 if found else None


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_weights_depth_is_that_of_its_layer(family: tuple[str, Path], make: Build, pooling: str) -> None:
    depth = depths(make(pooling=pooling))
    layers = 1 if family[0] == "albert" else 2
    assert {number for name in depth if (number := of_layer(name))} == set(range(1, layers + 1))
    for name, found in depth.items():
        feeds = re.search(EMBEDDINGS, name + ".") or "encoder.LayerNorm." in name
        assert found == (of_layer(name) or (0 if feeds else layers + 1)), name


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("freeze", "layers"), [("none", 0), ("embeddings", 0), ("embeddings", 1), ("encoder", 0)])
def test_freezing_stops_exactly_those_gradients(
    family: tuple[str, Path], make: Build, pooling: str, freeze: str, layers: int
) -> None:
    if family[0] == "albert" and layers:
        return
    model = make(pooling=pooling, freeze=freeze, freeze_layers=layers)
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    depth = depths(model)
    encoder = {f"{model.base_model_prefix}.{name}" for name, _ in model.base_model.named_parameters()}
    below = {name for name in depth if depth[name] <= layers}
    assert frozen == {"none": set(), "embeddings": below, "encoder": encoder}[freeze]
    assert 0 < len(below) < len(encoder) < len(depth)


@pytest.mark.parametrize("layers", [0, 1])
def test_the_gradient_ends_above_frozen_layers(
    family: tuple[str, Path], make: Build, own_tokenizer: PreTrainedTokenizerBase, layers: int
) -> None:
    if family[0] == "albert" and layers:
        return
    model = make(pooling="mean", freeze="embeddings", freeze_layers=layers).train()
    reached = []

    def record(layer: torch.nn.Module, arguments: Any, output: Any) -> None:
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        reached.append(hidden.requires_grad)

    stack = next(module for module in model.base_model.modules() if isinstance(module, torch.nn.ModuleList))
    for layer in stack:
        layer.register_forward_hook(record)
    ids = torch.tensor([own_tokenizer("the film was good")["input_ids"]])
    model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=torch.tensor([1])).loss.backward()
    assert reached == [False] * layers + [True] * (2 - layers)
    depth = depths(model)
    learnt = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert {depth[name] for name in learnt} == {number for number in depth.values() if number > layers}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_each_layer_learns_at_a_share_of_the_rate_above(family: tuple[str, Path], make: Build, pooling: str) -> None:
    if family[0] == "albert":
        return
    model = make(pooling=pooling, freeze="none", layer_decay=0.5)
    decayed = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [
        {"params": decayed, "lr": 8e-3, "weight_decay": 0.01, "eps": 1e-8},
        {"params": others, "lr": 8e-3, "weight_decay": 0.0, "eps": 1e-8},
    ]
    split = by_learning_rate(groups, model, 0.5)
    depth = depths(model)
    found = {id(weight): group for group in split for weight in group["params"]}
    assert sum(len(group["params"]) for group in split) == len(found) == len(depth)
    for name, weight in model.named_parameters():
        group = found[id(weight)]
        assert group["lr"] == pytest.approx(8e-3 * 0.5 ** (3 - depth[name])), name
        assert group["weight_decay"] == (0.01 if weight.ndim > 1 else 0.0)
        assert group["eps"] == 1e-8
    assert split[0]["lr"] == 8e-3, "the log shows the first group's rate, which is train.lr"


def test_more_frozen_layers_than_there_are_and_shared_ones_are_refused(family: tuple[str, Path], make: Build) -> None:
    if family[0] == "albert":
        sentence = (
            "params.yaml: train.freeze_layers is 1 and train.layer_decay 1, but a model of the family albert shares "
            "the weights among its layers: take 0 and 1"
        )
        with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
            make(freeze="embeddings", freeze_layers=1)
        with pytest.raises(UserError, match=r"train\.layer_decay 0\.9, but a model of the family albert shares"):
            make(layer_decay=0.9)
        return
    sentence = "params.yaml: train.freeze_layers is 3, but the model has 2 layers: lower it"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        make(freeze="embeddings", freeze_layers=3)
    assert make(freeze="embeddings", freeze_layers=2)
