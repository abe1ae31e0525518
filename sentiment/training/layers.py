"""Where a model's embeddings and layers are, whatever its family: for cutting, freezing, rates by layer, and LoRA."""

from itertools import takewhile

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from sentiment.core.errors import UserError
from sentiment.params import Train


def depths(model: PreTrainedModel) -> dict[str, int]:
    """Return each parameter's depth by its name: 0 for embeddings, 1 for the lowest layer, 2 for the next and so on.

    The head, and what else follows the layers, is one deeper than the top layer.
    """
    encoder = model.base_model
    layers = _layers(encoder)
    depth = {id(weight): number for number, layer in enumerate(layers, 1) for weight in layer.parameters()}
    tables = [module for module in encoder.modules() if isinstance(module, nn.Embedding)]
    # DeBERTa's layers share a table of relative positions, and its norm.
    norm = getattr(getattr(encoder, "encoder", None), "LayerNorm", None)
    below = [weight for module in [*tables, *([norm] if norm else [])] for weight in module.parameters()]
    below += takewhile(lambda weight: id(weight) not in depth, encoder.parameters())
    depth = {id(weight): 0 for weight in below} | depth
    return {name: depth.get(id(weight), len(layers) + 1) for name, weight in model.named_parameters()}


def keep_layers(config: PreTrainedConfig, layers: int) -> None:
    """Change an encoder's configuration so that it has the lowest layers only; raise UserError where it has fewer."""
    if layers > config.num_hidden_layers:
        raise UserError(
            f"params.yaml: train.layers is {layers}, but the model has {config.num_hidden_layers}: lower it, or leave "
            "it empty to take all"
        )
    # ModernBERT's layers are of two kinds, which its configuration lists.
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]
    config.num_hidden_layers = layers


def matrices(encoder: PreTrainedModel) -> list[str]:
    """Return the names of the linear maps within the encoder's layers, by which LoRA finds them."""
    within = {id(module) for module in _layers(encoder).modules()}
    return [
        name
        for name, module in encoder.named_modules()
        if id(module) in within and isinstance(module, nn.Linear | Conv1D)
    ]


def check_layers(model: PreTrainedModel, params: Train) -> None:
    """Raise UserError when the parameters ask for layers that the model does not have."""
    if params.freeze_layers == 0 and params.layer_decay == 1:
        return
    encoder = model.base_model
    layers = len(_layers(encoder))
    if layers != encoder.config.num_hidden_layers:
        raise UserError(
            f"params.yaml: train.freeze_layers is {params.freeze_layers} and train.layer_decay {params.layer_decay:g}, "
            f"but a model of the family {encoder.config.model_type} shares the weights among its layers: take 0 and 1"
        )
    if params.freeze_layers > layers:
        raise UserError(
            f"params.yaml: train.freeze_layers is {params.freeze_layers}, but the model has {layers} layers: lower it"
        )


def freeze(model: PreTrainedModel, what: str, layers: int = 0) -> None:
    """Stop the gradient of the embeddings and so many of the lowest layers, of the whole encoder, or of nothing.

    `what` is "embeddings", "encoder" or "none". Nothing below a frozen layer learns, so that the gradient's way ends
    above it.
    """
    if what == "encoder":
        model.base_model.requires_grad_(requires_grad=False)
    elif what == "embeddings":
        depth = depths(model)
        for name, weight in model.named_parameters():
            weight.requires_grad_(depth[name] > layers)


def _layers(encoder: PreTrainedModel) -> nn.ModuleList:
    """Return the encoder's stack of layers; ALBERT's is shorter than its number of layers, which share weights."""
    stacks = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise UserError(
            f"params.yaml: no layers were found in a model of the family {encoder.config.model_type}: take "
            "train.freeze: none or encoder, and train.layer_decay: 1"
        )
    return next((stack for stack in stacks if len(stack) == encoder.config.num_hidden_layers), stacks[0])
