"""How many training steps fit into a time limit."""

import time
from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from datasets import Dataset
from tqdm import tqdm
from transformers import PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.model.device import uses_bf16
from sentiment.text.encoding import Padding

TIMED_STEPS = 5
MARGIN = 0.9
"""Share of the time limit that is planned for; the rest allows for other load on the machine."""
FEWEST_STEPS = 10
FORWARD = 1 / 3
"""What reading a token costs, as a share of learning from it (Kaplan et al. 2020, arXiv:2001.08361)."""


def measured_speed(
    model: PreTrainedModel, padding: Padding, train: Dataset, batches: Sequence[np.ndarray], precision: str
) -> float:
    """Return the tokens per second, padding included, that the model trains on; weights and random state stay the same.

    Times the forward and backward pass of a few batches, the first of which warms up. `train` has input_ids, labels.
    """
    device = model.device
    speeds = []
    with torch.random.fork_rng(enabled=True):
        model.train()
        for rows in islice(batches, TIMED_STEPS):
            started = time.monotonic()
            batch = padding([train[int(row)] for row in rows])
            with torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(precision, device)):
                loss = model(**{name: tensor.to(device) for name, tensor in batch.items()}).loss
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            speeds.append(batch["input_ids"].numel() / max(1e-6, time.monotonic() - started))
            model.zero_grad()
    return float(np.median(speeds[1:] or speeds))


def fitting_steps(speed: float, step_costs: np.ndarray, validation_tokens: int, max_minutes: float) -> int:
    """Return how many of the steps, whose tokens are `step_costs`, fit into the minutes at `speed` tokens a second.

    `validation_tokens` is what all validations of the whole training read. Raises UserError where hardly any fit.
    """
    tokens = max_minutes * 60 * MARGIN * speed - validation_tokens * FORWARD
    steps = int(np.searchsorted(step_costs.cumsum(), tokens, side="right"))
    minutes = (step_costs.sum() + validation_tokens * FORWARD) / speed / 60
    if steps < min(FEWEST_STEPS, len(step_costs)):
        raise UserError(
            f"training would take about {minutes:.1f} min, and train.max_minutes of {max_minutes:g} leave no time for "
            f"{FEWEST_STEPS} of its {len(step_costs):,} steps: raise it, or lower tokenize.max_length or "
            "train.batch_size"
        )
    tqdm.write(
        f"all {len(step_costs):,} steps would take about {minutes:.1f} min at {speed:,.0f} tokens/s: "
        f"{'they' if steps == len(step_costs) else f'{steps:,} of them'} fit into train.max_minutes of {max_minutes:g}"
    )
    return steps
