"""Predict what fine-tuning costs: FLOPs per token, minutes and memory, from each model's configuration.

Reads   nothing
Writes  benchmarks/costs.json    for docs/models.md and docs/platforms.md

    python -m benchmarks.costs    (make figures)

Predictions, not measurements: `train` prints the speed that your machine reaches.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sentiment.core.files import write_json

RESULTS = Path("benchmarks/costs.json")

REVIEWS = 25_000
TOKENS = 128
BATCH_SIZE = 32
LABELS = 2


@dataclass(frozen=True)
class Model:
    """What config.json on the Hugging Face hub says of a model, and how its architecture departs from BERT's.

    `embedding` is the width of its word vectors where that is not `hidden`. `shared` layers have one set of weights
    between them. `gated` feed-forward layers have a third matrix. Layers that know relative positions project them and
    compare each token with them: `relative_per_token` times a sequence's length of them, or `relative_per_batch`, the
    same for all of a batch.
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int = 512
    segments: int = 0
    embedding: int | None = None
    pooler: bool = True
    shared: bool = False
    gated: bool = False
    relative_per_token: int = 0
    relative_per_batch: int = 0


MODELS = {
    "all-MiniLM-L6-v2": Model(6, 384, 12, 1536, 30522, segments=2),
    "distilbert-base-uncased": Model(6, 768, 12, 3072, 30522),
    "bert-base-uncased": Model(12, 768, 12, 3072, 30522, segments=2),
    "distilroberta-base": Model(6, 768, 12, 3072, 50265, positions=514, segments=1),
    "roberta-base": Model(12, 768, 12, 3072, 50265, positions=514, segments=1),
    "distilgpt2": Model(6, 768, 12, 3072, 50257, positions=1024, pooler=False),
    "gpt2": Model(12, 768, 12, 3072, 50257, positions=1024, pooler=False),
    "electra-small-discriminator": Model(12, 256, 4, 1024, 30522, segments=2, embedding=128),
    "electra-base-discriminator": Model(12, 768, 12, 3072, 30522, segments=2),
    # Dai et al. 2019 (arXiv:1901.02860), section 3.3: a word is compared with those up to a length before and after it.
    "xlnet-base-cased": Model(12, 768, 12, 3072, 32000, positions=0, relative_per_token=2),
    "albert-base-v2": Model(12, 768, 12, 3072, 30000, segments=2, embedding=128, shared=True),
    # He et al. 2021 (arXiv:2006.03654), section 3.1: words compared with 2 x 256 relative positions, both ways.
    "deberta-v3-small": Model(6, 768, 12, 3072, 128100, positions=0, relative_per_batch=512),
    "ModernBERT-base": Model(22, 768, 12, 1152, 50368, positions=0, gated=True),
}


@dataclass(frozen=True)
class Device:
    """The peak of its matrix products in FLOP/s, and the share of it that a training is assumed to reach.

    `precision` is what `auto` takes there. Of several in one machine, peak and share are those of each.
    """

    peak: float
    utilization: float
    precision: str
    source: str
    number: int = 1


T4 = Device(65e12, 0.15, "fp16", "NVIDIA: 65 in half precision (nvidia.com, T4's datasheet); no bf16")


DEVICES = {
    # 0.7 is what the default's training reached there: 4,200 tokens/s in bf16, 1,900 in fp32 with the stock recipe.
    "2 cores, bf16": Device(420e9, 0.7, "bf16", "measured: one large torch.matmul on two Zen 4 cores with AVX512-BF16"),
    "2 cores, fp32": Device(184e9, 0.7, "fp32", "measured: the same in fp32"),
    # GPUs: see PUBLISHED_TIMINGS.
    "T4": T4,
    "2 T4": replace(T4, number=2, source="as above, each"),
    "P100": Device(
        9.3e12, 0.5, "fp32", "NVIDIA: 9.3 in single precision (microway.com, Tesla P100 PCI-E 16GB up close)"
    ),
    "L4": Device(
        121e12, 0.2, "bf16", "NVIDIA: 242 with sparsity, halved without (hmc-tech.com/gpu/nvidia-l4-vs-nvidia-l40: 125)"
    ),
}

EXCHANGE = 5e9
"""Bytes of gradients per second that the GPUs of one machine are assumed to add up, a third of what PCIe 3.0 x16 moves.

They go through the machine's memory, as those of free platforms have no other way.
"""


@dataclass(frozen=True)
class Timing:
    """How long a training on another or on the same device is published to have taken."""

    device: str
    """That of DEVICES whose utilization is to explain it."""
    peak: float
    model: str
    length: int
    sequences: int
    minutes: float


# Two epochs of SQuAD 1.1 with BERT-base on a V100 (15.7 TFLOP/s in fp32, 125 in fp16): 80 minutes in fp32, 24 in fp16
# (github.com/huggingface/transformers/issues/277, 2019). Two epochs of 3,616 batches of 32 complaints with ModernBERT
# on Kaggle's T4: 18 minutes in fp16, 78 in bf16, which it only emulates (earino.github.io/applied-deep-learning/site,
# "Your T4 Training Is 4x Slower Than It Should Be").
PUBLISHED_TIMINGS = [
    Timing("P100", 15.7e12, "bert-base-uncased", 384, 2 * 87_599, 80.0),
    Timing("L4", 125e12, "bert-base-uncased", 384, 2 * 87_599, 24.0),
    Timing("T4", 65e12, "ModernBERT-base", 128, 32 * 3_616, 18.0),
]


def layer_weights(model: Model) -> int:
    """Return the weights in one layer's matrices: four of attention, five where it projects relative positions."""
    attention = 4 + (model.relative_per_token > 0)
    return attention * model.hidden**2 + (2 + model.gated) * model.hidden * model.intermediate


def multiplied(model: Model) -> int:
    """Return the weights that all layers multiply a token with, those used for two positions counted twice."""
    again = max(0, model.relative_per_token - 1) * model.hidden**2
    projection = model.embedding * model.hidden if model.embedding else 0
    return model.layers * (layer_weights(model) + again) + projection


def embedding_weights(model: Model) -> int:
    """Return the weights of the embeddings, which are looked up, not multiplied; DeBERTa's relative ones included."""
    width = model.embedding or model.hidden
    return (model.vocabulary + model.positions + model.segments) * width + model.relative_per_batch * model.hidden


def parameters(model: Model) -> int:
    """Return the classifier's parameters: matrices and embeddings; biases and norms, under 1 %, are left out."""
    layers = layer_weights(model) * (1 if model.shared else model.layers)
    projection = model.embedding * model.hidden if model.embedding else 0
    head = (model.hidden**2 if model.pooler else 0) + LABELS * model.hidden
    return embedding_weights(model) + projection + layers + head


def flops_per_token(model: Model, length: int = TOKENS) -> float:
    """Return the FLOPs of one training step per token of a sequence of `length` tokens.

    Two for each weight that multiplies the token and two for each score and each mixed value of attention, and three
    times that, as the backward pass costs two forward ones (Kaplan et al. 2020, arXiv:2001.08361, section 2.1).
    """
    columns = (2 + model.relative_per_token) * length + 2 * model.relative_per_batch
    shared_by_batch = 2 * model.hidden**2 * model.relative_per_batch / (BATCH_SIZE * length)
    return 6 * (multiplied(model) + model.layers * (columns * model.hidden + shared_by_batch))


def tokens_per_second(model: Model, device: Device, length: int = TOKENS) -> float:
    """Return the speed in steps of BATCH_SIZE; several devices add up their gradients after each, embeddings frozen."""
    step = BATCH_SIZE * length
    seconds = step * flops_per_token(model, length) / (device.number * device.peak * device.utilization)
    if device.number > 1:
        seconds += 4 * (parameters(model) - embedding_weights(model)) / EXCHANGE
    return step / seconds


def minutes(model: Model, device: Device) -> float:
    """Return the minutes of one epoch over REVIEWS reviews of TOKENS tokens."""
    return REVIEWS * TOKENS / tokens_per_second(model, device) / 60


def memory(model: Model, *, frozen: bool) -> int:
    """Return the bytes that training takes in fp32, with or without the embeddings frozen.

    Weights and their moving average (4 bytes each), gradients and AdamW's two moments (4 each, of what is trained), and
    what each layer keeps for the backward pass: at 16 bits 18 h + 4 i + 5 heads x length bytes per token (Korthikanti
    et al. 2022, arXiv:2205.05198, section 4.1, with i in place of 4 h), twice that in fp32.
    """
    trained = parameters(model) - (embedding_weights(model) if frozen else 0)
    wide = model.intermediate * (2 if model.gated else 1)
    kept = 2 * (18 * model.hidden + 4 * wide + 5 * model.heads * TOKENS)
    return 8 * parameters(model) + 12 * trained + BATCH_SIZE * TOKENS * model.layers * kept


def checkpoint(model: Model) -> int:
    """Return a checkpoint's bytes, embeddings frozen: weights, their average, AdamW's moments of the trained ones."""
    return 8 * parameters(model) + 8 * (parameters(model) - embedding_weights(model))


def costs(model: Model) -> dict[str, Any]:
    return {
        "parameters": parameters(model),
        "multiplied": multiplied(model),
        "flops_per_token": flops_per_token(model),
        "minutes": {name: minutes(model, device) for name, device in DEVICES.items()},
        "tokens_per_second": {name: round(tokens_per_second(model, device)) for name, device in DEVICES.items()},
        "reviews_in_15_minutes": {
            name: round(15 * REVIEWS / minutes(model, device)) for name, device in DEVICES.items()
        },
        "memory": {"all": memory(model, frozen=False), "embeddings_frozen": memory(model, frozen=True)},
        "checkpoint": checkpoint(model),
    }


def predictions() -> dict[str, Any]:
    return {
        "reviews": REVIEWS,
        "tokens": TOKENS,
        "batch_size": BATCH_SIZE,
        "exchange": EXCHANGE,
        "devices": {name: vars(device) for name, device in DEVICES.items()},
        "models": {name: costs(model) for name, model in MODELS.items()},
    }


if __name__ == "__main__":
    write_json(RESULTS, predictions())
