"""The logits that a classifier gives for encoded reviews."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from tqdm import tqdm
from transformers import (
    PreTrainedModel,
)

from sentiment.core import processes
from sentiment.core.errors import UserError
from sentiment.model.device import NAMES, arithmetic, autocast
from sentiment.model.memory import Portion, cut
from sentiment.text.encoding import Padding


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
def predict(
    model: PreTrainedModel, sequences: Sequence[Sequence[int]], padding: Padding, *, batch_size: int, precision: str
) -> np.ndarray:
    """Return the logits of encoded reviews, in their order: float32 [reviews, labels].

    Reviews of like length share a batch, so that little is computed for padding. Batches that memory is too small for
    are cut, and several processes share all of them. Raises UserError where a logit is not finite, as numbers of a
    small range can become in a sound model.
    """
    model.eval()
    device = model.device
    dtype = arithmetic(precision, device)
    order = np.argsort([len(ids) for ids in sequences], kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    outputs: list[np.ndarray] = []
    portion = Portion(batch_size, "evaluate.batch_size")

    def logits_of(batch: dict[str, torch.Tensor], most: int) -> np.ndarray:
        found = []
        for part in cut(batch, most):
            with autocast(device, dtype):
                logits = model(**{name: tensor.to(device) for name, tensor in part.items()}).logits
            found.append(logits.float().cpu().numpy())
        return np.concatenate(found)

    # The longest come first: what they free has room for all others, where growing batches would each ask for more.
    own = processes.share(batches[::-1])
    with (
        fused_attention(model),
        tqdm(total=sum(len(rows) for rows in own), desc="predict", unit="review", delay=1) as progress,
    ):
        for rows in own:
            batch = padding([{"input_ids": sequences[row]} for row in rows])
            outputs.append(portion(partial(logits_of, batch)))
            progress.update(len(rows))
    in_order = np.concatenate(processes.put_together(outputs)[::-1])
    in_order[order] = in_order.copy()
    if not np.isfinite(in_order).all():
        remedy = "train it anew with a lower train.lr" if dtype == torch.float32 else "set precision: fp32"
        raise UserError(f"the model's logits are not finite in {NAMES[dtype]}: {remedy}")
    return in_order
