"""Fine-tuning: transformers' Trainer with length-bucketed batches."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import nn
from torch.utils.data import DataLoader
from transformers import (
    EvalPrediction,
    PreTrainedModel,
    ProgressCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
)

from sentiment.core import processes
from sentiment.core.errors import UserError, reason
from sentiment.core.params import Params
from sentiment.metrics import evaluate, scores_of
from sentiment.model.device import NAMES, arithmetic
from sentiment.model.memory import TOO_SMALL, cut, is_shortage
from sentiment.model.prediction import fused_attention
from sentiment.text.encoding import Padding
from sentiment.training.averaging import BEST, MovingAverage, best_step
from sentiment.training.batches import LengthBucketSampler, OwnBatches
from sentiment.training.budget import TimeLimit, fitting_steps, measured_speed
from sentiment.training.callbacks import LiveCurves, LossScale, Progress, SaveWhenInterrupted, Validations
from sentiment.training.checkpoints import newest_complete
from sentiment.training.class_weights import WeightedLoss
from sentiment.training.gradients import Portions, accumulate

WEIGHT_DECAY = 0.01
"""AdamW's, for all weights but biases and layer norms, as the Trainer has it."""

LOGGED = 20
"""The most steps between two entries of the log, for which an interrupted training waits before it saves."""


class LengthBucketTrainer(Trainer):
    """transformers' Trainer with length-bucketed batches, which validates the moving average of the weights.

    A batch goes through the device in portions that fit, and several processes share it.
    """

    def __init__(
        self,
        *args: Any,
        sampler: LengthBucketSampler,
        average: MovingAverage,
        portions: Portions,
        **kwargs: Any,
    ) -> None:
        # First of all callbacks: what it saves belongs to a checkpoint, after which another one may stop the training.
        super().__init__(*args, callbacks=[average, portions, *kwargs.pop("callbacks", [])], **kwargs)
        self.sampler = sampler
        self.average = average
        self.portions = portions
        self.weight = 1.0
        if processes.count() > 1:
            self.accelerator.prepare_model(self.model, evaluation_mode=True)
            # Else it would be wrapped for an exchange of gradients within the backward pass.
            self.model._is_accelerate_prepared = True
        self.remove_callback(ProgressCallback)
        self.add_callback(Progress())

    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        if self.args.fp16 and self.args.use_cpu:
            # On a CPU accelerate neither casts to fp16 nor scales the loss.
            self.accelerator.native_amp = True
            self.accelerator.scaler = torch.amp.GradScaler("cpu")

    def get_train_dataloader(self) -> DataLoader[Any]:
        if processes.count() > 1:
            # accelerate would give each process other batches, and fill up the last one.
            return DataLoader(
                self.train_dataset,
                batch_sampler=OwnBatches(self.sampler),
                collate_fn=self.data_collator,
                pin_memory=self.args.dataloader_pin_memory,
            )
        loader: DataLoader[Any] = DataLoader(
            self.train_dataset,
            batch_size=self.args.train_batch_size,
            sampler=self.sampler,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)

    def training_step(
        self, model: nn.Module, inputs: dict[str, torch.Tensor], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        several = processes.count() > 1
        rows = self.sampler.rows_in(self.state.global_step) if several else len(inputs["input_ids"])
        step = super().training_step

        def backward(part: dict[str, torch.Tensor], weight: float) -> torch.Tensor:
            self.weight = weight
            try:
                # Models that are told the number divide by it, and not by that of the rows they get.
                return step(model, part, num_items_in_batch if weight == 1 else None)
            finally:
                self.weight = 1.0

        # The Trainer logs the average over the processes, of which each has a share.
        return accumulate(model, inputs, rows, self.portions.train, backward) * processes.count()

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        loss = super().compute_loss(*args, **kwargs)
        return loss if self.weight == 1 else loss * self.weight

    def prediction_step(self, model: nn.Module, inputs: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        step = super().prediction_step

        def read(most: int) -> Any:
            found = [step(model, part, *args, **kwargs) for part in cut(inputs, most)]
            if len(found) == 1:
                return found[0]
            losses, logits, labels = zip(*found, strict=True)
            return torch.stack(losses).mean(), torch.cat(logits), torch.cat(labels)

        return self.portions.evaluate(read)

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.portions.agree()
        super()._save_checkpoint(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        with self.average.applied(), fused_attention(self.model):
            return super().evaluate(*args, **kwargs)


def compute_metrics(prediction: EvalPrediction, dtype: torch.dtype) -> dict[str, float]:
    """Return the validation's accuracy and log loss; raise UserError when the training, in `dtype`, has diverged."""
    logits = np.asarray(prediction.predictions)
    if not np.isfinite(logits).all():
        wider = "" if dtype == torch.float32 else "set precision: fp32, "
        raise UserError(
            f"the training diverged (its logits are not finite in {NAMES[dtype]}): {wider}lower train.lr or raise "
            "train.warmup_share"
        )
    metrics = evaluate(prediction.label_ids, scores_of(logits))
    return {name: metrics[name] for name in ("accuracy", "log_loss")}


def as_dataset(encoded: pa.Table) -> Dataset:
    """Return the reviews of a table with `input_ids` and `label` as the Trainer takes them."""
    columns = encoded.select(["input_ids", "label"]).rename_columns(["input_ids", "labels"])
    # With a given fingerprint the dataset does not hash all its rows, for which it would copy them.
    return Dataset(columns, fingerprint="encoded")


def shortest_first(encoded: pa.Table) -> Dataset:
    """Return the reviews in the order of their lengths; none is copied, as a sorted column of lists has 2³¹ tokens."""
    lengths = pc.list_value_length(encoded["input_ids"]).combine_chunks()
    return as_dataset(encoded).select(pc.array_sort_indices(lengths).to_numpy())


def fine_tune(
    model: PreTrainedModel,
    padding: Padding,
    train: pa.Table,
    validation: pa.Table,
    params: Params,
    *,
    checkpoints: Path,
    curves: Path,
) -> dict[str, Any]:
    """Train the model in place, leave it with the weights that validated best, and return the training's metrics.

    The tables hold `input_ids` and `label`. Resumes from the newest complete checkpoint in `checkpoints`.
    """
    if params.train.lora_rank:
        from sentiment.training.lora import add_updates

        add_updates(model.base_model, params.train.lora_rank)
    trained = model.num_parameters(only_trainable=True)
    lengths = pc.list_value_length(validation["input_ids"])
    dataset = as_dataset(train)
    sampler = LengthBucketSampler(
        pc.list_value_length(train["input_ids"]).to_numpy(), params.train.batch_size, params.seed
    )
    costs = sampler.padded_tokens(params.train.epochs)
    portions = Portions(params)
    checkpoint = processes.by_main(lambda: newest_complete(checkpoints))
    if checkpoint:
        print(f"continuing from {checkpoint}")
        steps = TrainerState.load_from_json(str(checkpoint / "trainer_state.json")).max_steps
    elif params.train.over_time == "shorten":
        speed = measured_speed(model, padding, dataset, sampler.batches(0), params.precision, portion=portions.train)
        validation_tokens = pc.sum(lengths).as_py() * params.train.epochs * params.train.validations_per_epoch
        steps = fitting_steps(speed, costs, validation_tokens, params.train.max_minutes)
    else:
        steps = len(costs)
    interruption = SaveWhenInterrupted()
    trainer = LengthBucketTrainer(
        model,
        arguments(params, steps, checkpoints, model.device),
        data_collator=padding,
        train_dataset=dataset,
        eval_dataset=shortest_first(validation),
        compute_metrics=partial(compute_metrics, dtype=arithmetic(params.precision, model.device)),
        compute_loss_func=WeightedLoss(train["label"].to_numpy()) if params.train.class_weights == "balanced" else None,
        callbacks=[
            Validations(sampler.steps_per_epoch, params.train.validations_per_epoch),
            TimeLimit(params.train, costs[:steps]),
            LossScale(),
            *([LiveCurves(curves)] if processes.is_main() else []),
            interruption,
        ],
        sampler=sampler,
        average=MovingAverage(model, params.train.averaging),
        portions=portions,
    )
    if processes.rank():
        # Dropout that is not that of the main process.
        torch.manual_seed(np.random.SeedSequence([params.seed, processes.rank()]).generate_state(1)[0].item())
    try:
        with interruption:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except (OSError, RuntimeError, SafetensorError) as error:
        if isinstance(error, RuntimeError) and is_shortage(error):
            raise UserError(TOO_SMALL) from None
        # torch reports a file that it can't write as a RuntimeError.
        if isinstance(error, RuntimeError) and not re.search("PytorchStreamWriter|inline_container", str(error)):
            raise
        raise UserError(
            f"no checkpoint can be saved in {checkpoints}: {reason(error)}; free space, or let "
            "SENTIMENT_CHECKPOINT_DIR name a folder with more; the same command continues from an older one"
        ) from None
    load_model(model, checkpoints / BEST)

    if params.train.lora_rank:
        from sentiment.training.lora import merge_updates

        merge_updates(model.base_model)
    validations = {entry["step"]: entry for entry in trainer.state.log_history if "eval_log_loss" in entry}
    best = validations[best_step(trainer.state.log_history, len(validation))]
    return {
        "steps": trainer.state.global_step,
        "steps_asked": len(costs),
        "best_step": best["step"],
        "validations": len(validations),
        "validation": {name: best[f"eval_{name}"] for name in ("accuracy", "log_loss")},
        "parameters": model.num_parameters(),
        "parameters_trained": trained,
    }


def arguments(params: Params, steps: int, folder: Path, device: torch.device) -> TrainingArguments:
    """Return the Trainer's arguments for these parameters and for so many steps, whatever the epochs come to."""
    train = params.train
    dtype = arithmetic(params.precision, device)
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=train.lr,
        per_device_train_batch_size=train.batch_size,
        per_device_eval_batch_size=params.evaluate.batch_size,
        warmup_steps=round(steps * train.warmup_share),
        weight_decay=WEIGHT_DECAY,
        lr_scheduler_type="constant_with_warmup" if train.scheduler == "constant" else train.scheduler,
        optim="adamw_torch_fused",
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type == "cuda",
        seed=params.seed,
        logging_steps=max(1, min(steps // 50, LOGGED)),
        # The Validations callback decides when; these only have to agree with each other.
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=steps,
        save_steps=steps,
        save_total_limit=2,
        average_tokens_across_devices=False,
        report_to=train.report_to,
        remove_unused_columns=False,
    )
