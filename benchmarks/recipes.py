"""Trainers whose speeds are compared: ours, ours less one choice, and what people would use instead."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.training_args import OptimizerNames

from sentiment.core.params import Params
from sentiment.model.device import device
from sentiment.text.encoding import Padding, load_tokenizer
from sentiment.training.averaging import MovingAverage
from sentiment.training.batches import LengthBucketSampler
from sentiment.training.build import build
from sentiment.training.fine_tune import LengthBucketTrainer, arguments, as_dataset
from sentiment.training.gradients import Portions

PRETRAINED = Path("models/pretrained")


class BatchTrainer(LengthBucketTrainer):
    """The train stage's Trainer, which takes these batches of row numbers in place of its own where there are any."""

    def __init__(self, *args: Any, batches: list[list[int]] | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batches = batches

    def get_train_dataloader(self) -> DataLoader[Any]:
        if self.batches is None:
            return super().get_train_dataloader()
        return DataLoader(self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator)


def ours(
    train: pa.Table,
    params: Params,
    seed: int,
    output: Path,
    *,
    pretrained: Path = PRETRAINED,
    attention: str | None = None,
    buckets: bool = True,
    by_rows: bool = True,
    fused_optimizer: bool = True,
    compiled: bool = False,
) -> Trainer:
    """Return the train stage's Trainer; the arguments after `pretrained` change what is no parameter."""
    set_seed(seed)
    tokenizer = load_tokenizer(pretrained)
    model = build(pretrained, tokenizer, params.train, device(params.device))
    if attention:
        model.set_attn_implementation(attention)
    if compiled:
        # Batches differ in length, for each of which it would compile anew.
        model.compile(dynamic=True)
    lengths = pc.list_value_length(train["input_ids"]).to_numpy()
    # Among equal lengths the sampler has nothing to sort.
    sampler = LengthBucketSampler(lengths if buckets else np.ones_like(lengths), params.train.batch_size, seed)
    steps = round(params.train.epochs * sampler.steps_per_epoch)
    dataset = as_dataset(train)
    options = arguments(params.model_copy(update={"seed": seed}), steps, output, model.device)
    if not fused_optimizer:
        options.optim = OptimizerNames.ADAMW_TORCH
    batches = None
    if not by_rows:
        batches = batches_of_tokens(lengths, round(params.train.batch_size * lengths.mean()), seed)
    return BatchTrainer(
        model,
        options,
        data_collator=Padding.of(tokenizer),
        train_dataset=dataset,
        eval_dataset=dataset,
        sampler=sampler,
        average=MovingAverage(model, params.train.averaging),
        portions=Portions(params),
        batches=batches,
    )


def batches_of_tokens(lengths: np.ndarray, tokens: int, seed: int) -> list[list[int]]:
    """Return shuffled batches of rows of similar length, each of at most so many tokens, padding included.

    A longer row has one for itself.
    """
    batches: list[list[int]] = [[]]
    for row in np.argsort(lengths, kind="stable").tolist():
        if batches[-1] and (len(batches[-1]) + 1) * lengths[row] > tokens:
            batches.append([])
        batches[-1].append(row)
    return [batches[place] for place in np.random.default_rng(seed).permutation(len(batches))]


def stock(
    train: pa.Table,
    params: Params,
    seed: int,
    output: Path,
    *,
    pretrained: Path = PRETRAINED,
    pad_to_max: bool = False,
    bf16: bool = False,
) -> Trainer:
    """Return transformers' own Trainer as its documentation builds it, with our batch size, rate and epochs.

    It pads each batch to its longest review, or to tokenize.max_length where `pad_to_max` is true.
    """
    set_seed(seed)
    padding = {"padding": "max_length", "max_length": params.tokenize.max_length} if pad_to_max else {}
    return Trainer(
        AutoModelForSequenceClassification.from_pretrained(pretrained, num_labels=2, local_files_only=True),
        TrainingArguments(
            str(output),
            num_train_epochs=params.train.epochs,
            learning_rate=params.train.lr,
            per_device_train_batch_size=params.train.batch_size,
            bf16=bf16,
            seed=seed,
            disable_tqdm=True,
            report_to="none",
            save_strategy="no",
        ),
        data_collator=DataCollatorWithPadding(load_tokenizer(pretrained), **padding),
        train_dataset=as_dataset(train),
    )


def recipes(
    train: pa.Table, params: Params, output: Path, pretrained: Path = PRETRAINED
) -> dict[str, Callable[[int], Trainer]]:
    """Return the Trainers by name; each is built with a seed."""
    # What it is compared with is what the device does not take by itself.
    attention, other = ("fused", "eager") if device(params.device).type == "cuda" else ("eager", "sdpa")
    mine = partial(ours, train, output=output, pretrained=pretrained)
    theirs = partial(stock, train, params, output=output, pretrained=pretrained)

    def vary(**changes: object) -> Params:
        return params.model_copy(update={"train": params.train.model_copy(update=changes)})

    return {
        "ours": partial(mine, params),
        "without bf16": partial(mine, params.model_copy(update={"precision": "fp32"})),
        f"without {attention} attention": partial(mine, params, attention=other),
        "without dropout 0": partial(mine, vary(dropout=None)),
        "without frozen embeddings": partial(mine, vary(freeze="none")),
        "without length buckets": partial(mine, params, buckets=False),
        "without batches by rows": partial(mine, params, by_rows=False),
        "without small steps": partial(mine, vary(batch_size=2 * params.train.batch_size)),
        "without fused optimizer": partial(mine, params, fused_optimizer=False),
        "stock": theirs,
        "stock, padded to the maximum": partial(theirs, pad_to_max=True),
    }
