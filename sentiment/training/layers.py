"""Where a model's embeddings, layers and output are, whatever its family: to cut, freeze, adapt or correct them."""

from itertools import takewhile

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from sentiment.core.errors import UserError


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


def output_layer(model: PreTrainedModel) -> nn.Linear:
    """Return the layer that gives the logits: the last linear one with as many outputs as there are labels."""
    labels = model.config.num_labels
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear) and layer.out_features == labels][-1]


def freeze(model: PreTrainedModel, what: str) -> None:
    """Stop the gradient of the embeddings, of the whole encoder, or of nothing: "embeddings", "encoder" or "none".

    Whatever feeds the lowest layer counts as embeddings, so that the gradient's way ends there.
    """
    if what == "encoder":
        model.base_model.requires_grad_(requires_grad=False)
    elif what == "embeddings":
        for weight in _embeddings(model.base_model):
            weight.requires_grad = False


def _embeddings(encoder: PreTrainedModel) -> list[nn.Parameter]:
    """Return the weights that feed the lowest layer."""
    layers = {id(weight) for weight in _layers(encoder).parameters()}
    tables = [module for module in encoder.modules() if isinstance(module, nn.Embedding)]
    # DeBERTa's layers share a table of relative positions, and its norm.
    norm = getattr(getattr(encoder, "encoder", None), "LayerNorm", None)
    shared = [weight for module in [*tables, *([norm] if norm else [])] for weight in module.parameters()]
    return [*shared, *takewhile(lambda weight: id(weight) not in layers, encoder.parameters())]


def _layers(encoder: PreTrainedModel) -> nn.ModuleList:
    """Return the encoder's stack of layers; ALBERT's is shorter than its number of layers, which share weights."""
    stacks = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    if not stacks:
        raise UserError(
            f"params.yaml: no layers were found in a model of the family {encoder.config.model_type}: take "
            "train.freeze: none or encoder"
        )
    return next((stack for stack in stacks if len(stack) == encoder.config.num_hidden_layers), stacks[0])
