"""The classifier: building it on a pretrained encoder, loading it, and the logits it gives.

Importing this module registers MeanPooledClassifier, so that AutoModelForSequenceClassification loads either kind.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn
from tqdm import tqdm
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from sentiment.encoding import Padding
from sentiment.errors import UserError, readable
from sentiment.files import require_intact
from sentiment.layers import check_layers, freeze, keep_layers
from sentiment.params import Train
from sentiment.portable import is_portable
from sentiment.reviews import LABELS

# cuDNN's attention, which torch prefers on newer GPUs, plans anew for each length of a batch. Lengths vary, and a plan
# takes longer than its batch.
torch.backends.cuda.enable_cudnn_sdp(False)

PROVENANCE = "provenance.json"
"""What train writes beside a model: all that its bits depend on, and the sha256 of its weights."""


class MeanPooledConfig(PreTrainedConfig):
    """An encoder's configuration, wrapped."""

    model_type = "mean_pooled_classifier"
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012

    def __init__(self, encoder: Any = None, **kwargs: Any) -> None:
        self.encoder = AutoConfig.for_model(**encoder) if isinstance(encoder, dict) else encoder
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
        self.encoder = _without_pooler(AutoModel.from_config(config.encoder))
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
        logits = self.head(self.features(input_ids, attention_mask))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


AutoConfig.register(MeanPooledConfig.model_type, MeanPooledConfig)
AutoModelForSequenceClassification.register(MeanPooledConfig, MeanPooledClassifier)


def _without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    """Drop the layer over the first token that some encoders have; the average does not need it."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def build(pretrained: Path | str, tokenizer: PreTrainedTokenizerBase, params: Train) -> PreTrainedModel:
    """Put a new head on the pretrained encoder, or its lowest layers, and freeze what the parameters say.

    The head's weights are random, and so are the encoder's where the training is from scratch.
    """
    # On a CPU the backward pass of plain attention is faster than that of the fused kernel.
    attention = "eager" if device().type == "cpu" else None
    with readable(pretrained, "configuration"):
        config = AutoConfig.from_pretrained(pretrained, local_files_only=True)
    if params.layers is not None:
        keep_layers(config, params.layers)
    if params.dropout is not None:
        for name, value in config.to_dict().items():
            if "drop" in name and isinstance(value, int | float):
                setattr(config, name, params.dropout)
    head = {
        "num_labels": len(LABELS),
        "id2label": LABELS,
        "label2id": {name: label for label, name in LABELS.items()},
        "pad_token_id": tokenizer.pad_token_id,
    }
    if params.pooling == "mean":
        # Saved beside the weights, so it must not name where they lay.
        config.name_or_path = ""
        model = MeanPooledClassifier._from_config(MeanPooledConfig(config, **head), attn_implementation=attention)
        if not params.from_scratch:
            model.encoder = _without_pooler(_pretrained(AutoModel, pretrained, model.encoder.config, attention))
    else:
        config.update(head)
        if params.from_scratch:
            model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
        else:
            model = _pretrained(AutoModelForSequenceClassification, pretrained, config, attention)
    # Whatever precision the configuration names.
    model.float()
    _make_room(model, len(tokenizer))
    check_layers(model, params)
    freeze(model, params.freeze, params.freeze_layers)
    return model


def _pretrained(kind: Any, folder: Path | str, config: PreTrainedConfig, attention: str | None) -> PreTrainedModel:
    """Load the encoder's weights in single precision, whatever they are stored in; raise UserError when some lack."""
    with readable(folder, "weights"):
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


def _make_room(model: PreTrainedModel, tokens: int) -> None:
    """Add embeddings where the tokenizer has more tokens than the model; spare ones do no harm."""
    encoder = model.base_model
    if encoder.get_input_embeddings().num_embeddings < tokens:
        encoder.resize_token_embeddings(tokens)
        if isinstance(model, MeanPooledClassifier):
            model.config.encoder.vocab_size = tokens


def load(folder: Path | str) -> PreTrainedModel:
    """Load a trained classifier for evaluation; raise UserError when a file is missing, damaged or incomplete."""
    with readable(folder, "classifier"):
        provenance = Path(folder, PROVENANCE)
        made = json.loads(provenance.read_text(encoding="utf-8")) if provenance.is_file() else {}
        require_intact(Path(folder), made.get("outputs", {}), "train")
        model, report = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, use_safetensors=True
        )
    if report["missing_keys"]:
        raise UserError(
            f"{folder} lacks the weights {', '.join(sorted(report['missing_keys']))}; dvc repro makes it anew"
        )
    return model.eval()


def device() -> torch.device:
    """Return the first GPU, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Say whether to compute in bfloat16; "auto" does where the device multiplies it natively.

    Portable bits don't depend on what a device can do.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        if precision == "bf16" and not native:
            raise UserError("params.yaml: precision is bf16, which this GPU does not multiply: take auto or fp32")
        return native and precision != "fp32"
    if precision != "auto" or is_portable():
        return precision == "bf16"
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


@contextmanager
def fused_attention(model: PreTrainedModel) -> Iterator[None]:
    """Let the model compute attention by the fused kernel for a while, where its encoder has one.

    Without a backward pass it is the faster one, and long reviews need a fraction of the memory.
    """
    encoder = model.base_model
    before = encoder.config._attn_implementation
    fusible = encoder._supports_sdpa and encoder._can_set_attn_implementation()
    if fusible:
        encoder.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        if fusible:
            encoder.set_attn_implementation(before)


@torch.inference_mode()
def _infer(
    forward: Callable[..., torch.Tensor],
    model: PreTrainedModel,
    sequences: Sequence[Sequence[int]],
    padding: Padding,
    *,
    batch_size: int,
    precision: str,
    title: str,
) -> np.ndarray:
    """Return `forward` of every encoded review, in their order: float32 [reviews, ...].

    Reviews of like length share a batch, so that little is computed for padding.
    """
    device = model.device
    bf16 = uses_bf16(precision, device)
    order = np.argsort([len(ids) for ids in sequences], kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    outputs: list[np.ndarray] = []
    with fused_attention(model), tqdm(total=len(order), desc=title, unit="review", delay=1) as progress:
        # The longest come first: what they free has room for all others, where growing batches would each ask for more.
        for rows in reversed(batches):
            batch = padding([{"input_ids": sequences[row]} for row in rows])
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                output = forward(**{name: tensor.to(device) for name, tensor in batch.items()})
            outputs.append(output.float().cpu().numpy())
            progress.update(len(rows))
    in_order = np.concatenate(outputs[::-1])
    in_order[order] = in_order.copy()
    return in_order


def predict(
    model: PreTrainedModel, sequences: Sequence[Sequence[int]], padding: Padding, *, batch_size: int, precision: str
) -> np.ndarray:
    """Return the logits of encoded reviews: float32 [reviews, labels]."""

    def logits(**batch: torch.Tensor) -> torch.Tensor:
        return model(**batch).logits

    return _infer(logits, model.eval(), sequences, padding, batch_size=batch_size, precision=precision, title="predict")


def fit_head(model: MeanPooledClassifier, train: pa.Table, padding: Padding, precision: str) -> None:
    """Set the head to a logistic regression from the encoder's features to the labels of `train`.

    A random head's first gradients distort the features; a fitted one's do not, which serves reviews unlike those of
    the training most (Kumar et al. 2022, arXiv:2202.10054).
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    sequences = train["input_ids"].to_pylist()
    features = _infer(
        model.features, model.eval(), sequences, padding, batch_size=64, precision=precision, title="probe"
    )
    # Its threads follow the machine's cores unless told otherwise, and the last bits of its sums follow the threads.
    with threadpool_limits(torch.get_num_threads()):
        probe = LogisticRegression(max_iter=10_000).fit(features, train["label"].to_numpy())
    # The probe has one output, the log odds of positive; half of it and its negative give two logits the same odds.
    weight = torch.tensor(probe.coef_ / 2, dtype=torch.float32)
    bias = torch.tensor(probe.intercept_ / 2, dtype=torch.float32)
    with torch.no_grad():
        model.head.weight.copy_(torch.cat([-weight, weight]))
        model.head.bias.copy_(torch.cat([-bias, bias]))
