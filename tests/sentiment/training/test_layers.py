"""Freezing and layer-wise learning rates, in every family."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sentiment.core.errors import UserError
from sentiment.model.loading import load
from sentiment.params import Params
from sentiment.text.encoding import load_tokenizer
from sentiment.training.build import build
from sentiment.training.fine_tune import by_learning_rate
from sentiment.training.layers import depths
from sentiment.training.lora import add_updates, merge_updates
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
    assert {of_layer(name) for name in updates} == {depths(model)[name] for name in updates}
    for name, weight in model.named_parameters():
        if name in updates:
            torch.nn.init.normal_(weight.data)
    updated = logits()
    assert not torch.allclose(updated, before)
    merge_updates(model.base_model)
    assert [name for name, _ in model.named_parameters()] == names
    torch.testing.assert_close(logits(), updated, atol=1e-4, rtol=1e-4)
