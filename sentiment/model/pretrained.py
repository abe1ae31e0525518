"""The pretrained encoder, with all of its weights."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from sentiment.core.errors import UserError, loading
from sentiment.model.architecture import MeanPooledClassifier, MeanPooledConfig, without_pooler


def averaging(pretrained: Path | str, tokenizer: PreTrainedTokenizerBase) -> MeanPooledClassifier:
    """Return the pretrained encoder with no head: its logits are the averages of the last layer, [batch, hidden size].

    Raises UserError where the folder lacks its configuration or some of its weights.
    """
    with loading(pretrained, "configuration"):
        config = AutoConfig.from_pretrained(pretrained, local_files_only=True)
    model = MeanPooledClassifier._from_config(MeanPooledConfig(config))
    model.encoder = without_pooler(pretrained_weights(AutoModel, pretrained, model.encoder.config))
    model.head = torch.nn.Identity()
    make_room(model, len(tokenizer))
    return model.float().eval()


def pretrained_weights(
    kind: Any, folder: Path | str, config: PreTrainedConfig, attention: str | None = None
) -> PreTrainedModel:
    """Load the encoder's weights in single precision, whatever they are stored in; raise UserError when some lack."""
    with loading(folder, "weights"):
        model, report = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            attn_implementation=attention,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    # What lies over the encoder is new in any case, and so may its pooler be.
    encoder = {id(weight) for name, weight in model.base_model.named_parameters() if not name.startswith("pooler.")}
    names = [name for name, weight in model.named_parameters() if id(weight) in encoder]
    lacking = [name for name in names if name in report["missing_keys"]]
    if lacking:
        raise UserError(
            f"{folder} lacks {len(lacking)} of the encoder's {len(names)} weights, {lacking[0]} among them: "
            "its weights are those of another architecture"
        )
    return model


def make_room(model: PreTrainedModel, tokens: int) -> None:
    """Add embeddings where the tokenizer has more tokens than the model; spare ones do no harm."""
    encoder = model.base_model
    if encoder.get_input_embeddings().num_embeddings < tokens:
        encoder.resize_token_embeddings(tokens)
        if isinstance(model, MeanPooledClassifier):
            model.config.encoder.vocab_size = tokens
