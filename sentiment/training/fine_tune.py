"""Fine-tuning: transformers' Trainer with length-bucketed batches."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch.utils.data import Sampler
from transformers import (
    EvalPrediction,
    PreTrainedModel,
    ProgressCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
)

from sentiment.core.errors import UserError, reason
from sentiment.metrics import evaluate, scores_of
from sentiment.model.device import uses_bf16
from sentiment.model.prediction import fused_attention
from sentiment.params import Params, Train
from sentiment.text.encoding import Padding
from sentiment.training.batches import LengthBucketSampler
from sentiment.training.budget import fitting_steps, measured_speed
from sentiment.training.callbacks import LiveCurves, Progress, SaveWhenInterrupted, TimeLimit, Validations
from sentiment.training.checkpoints import newest_complete
from sentiment.training.layers import depths

AVERAGE = "average.safetensors"


def by_learning_rate(groups: list[dict[str, Any]], model: PreTrainedModel, layer_decay: float) -> list[dict[str, Any]]:
    """Split an optimizer's groups so that each layer's learning rate is `layer_decay` times that of the one above.

    The head keeps the groups' own rate and comes first, which is the rate that the log shows.
    """
    depth = depths(model)
    head = max(depth.values())
    scales = {id(weight): layer_decay ** (head - depth[name]) for name, weight in model.named_parameters()}
    split = [
        group | {"lr": scale * group["lr"], "params": [w for w in group["params"] if scales[id(w)] == scale]}
        for scale in sorted(set(scales.values()), reverse=True)
        for group in groups
    ]
    return [group for group in split if group["params"]]


class AveragingTrainer(Trainer):
    """transformers' Trainer with length-bucketed batches, which validates and keeps a moving average of the weights.

    The average over the last steps generalizes better than any one step's weights do (Izmailov et al. 2018,
    arXiv:1803.05407). `decay` is the share of it that a step leaves; 0 is no average. Each layer's learning rate is
    `layer_decay` times that of the one above.
    """

    def __init__(
        self, *args: Any, sampler: LengthBucketSampler, decay: float, layer_decay: float, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sampler = sampler
        self.layer_decay = layer_decay
        self.decay = decay
        # What is frozen is its own average.
        self.learning = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.averages = [weight.detach().clone() for weight in self.learning]
        self.remove_callback(ProgressCallback)
        self.add_callback(Progress())

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.sampler

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        optimizer = super().create_optimizer(*args, **kwargs)
        if self.layer_decay < 1:
            optimizer.param_groups[:] = by_learning_rate(optimizer.param_groups, self.model, self.layer_decay)
        optimizer.register_step_post_hook(self._update_averages)
        return optimizer

    @torch.no_grad()
    def _update_averages(self, *_: Any) -> None:
        step = self.state.global_step
        # The first steps leave less of the average, so that it doesn't lag behind them.
        kept = min(self.decay, (1 + step) / (10 + step)) if step else 0
        torch._foreach_lerp_(self.averages, self.learning, 1 - kept)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the model have the averages for its weights for a while."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for weight, average in zip(self.learning, self.averages, strict=True):
            weight.data, average.data = average.data, weight.data

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        with self._averaged(), fused_attention(self.model):
            return super().evaluate(*args, **kwargs)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        with self._averaged():
            save_model(self.model, Path(output_dir, AVERAGE))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            with self._averaged():
                load_model(self.model, Path(checkpoint, AVERAGE))

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Take the newest checkpoint unless its accuracy is below the best by more than one standard error.

        Later ones have seen more, at a lower learning rate; a smaller difference on the validation reviews is chance
        (the one-standard-error rule, Breiman et al. 1984, section 3.4.3).
        """
        accuracy = metrics["eval_accuracy"]
        best = max(accuracy, self.state.best_metric or 0.0)
        error = math.sqrt(best * (1 - best) / len(self.eval_dataset))
        if accuracy < best - error:
            return False
        self.state.best_metric = best
        self.state.best_global_step = self.state.global_step
        return True

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._save_checkpoint(*args, **kwargs)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise UserError(
                f"no checkpoint can be saved in {self.args.output_dir}: {reason(error)}; free space, or let "
                "SENTIMENT_CHECKPOINT_DIR name a folder with more; the same command continues from an older one"
            ) from None

    def _load_best_model(self) -> None:
        load_model(self.model, Path(self.state.best_model_checkpoint, AVERAGE))


def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Return the validation's accuracy and log loss; raise UserError when the training has diverged."""
    logits = np.asarray(prediction.predictions)
    if not np.isfinite(logits).all():
        raise UserError("the training diverged (its logits are not finite): lower train.lr or raise train.warmup_share")
    metrics = evaluate(prediction.label_ids, scores_of(logits))
    return {name: metrics[name] for name in ("accuracy", "log_loss")}


def as_dataset(encoded: pa.Table) -> Dataset:
    """Return the reviews of a table with `input_ids` and `label` as the Trainer takes them."""
    columns = encoded.select(["input_ids", "label"]).rename_columns(["input_ids", "labels"])
    # A name of its own spares the dataset the hash of all its rows, for which they would be copied.
    return Dataset(columns, fingerprint="encoded")


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
    """Train the model in place and leave it with the weights that validated best; return the training's metrics.

    The tables hold `input_ids` and `label`. The newest complete checkpoint in `checkpoints` is continued from.
    """
    if params.train.lora_rank:
        from sentiment.training.lora import add_updates

        add_updates(model.base_model, params.train.lora_rank)
    trained = model.num_parameters(only_trainable=True)
    lengths = pc.list_value_length(validation["input_ids"])
    validation = validation.take(pc.array_sort_indices(lengths.combine_chunks()))
    dataset = as_dataset(train)
    sampler = LengthBucketSampler(
        pc.list_value_length(train["input_ids"]).to_numpy(), params.train.batch_size, params.seed
    )
    costs = sampler.padded_tokens(params.train.epochs)
    checkpoint = newest_complete(checkpoints)
    if checkpoint:
        print(f"continuing from {checkpoint}")
        steps = TrainerState.load_from_json(str(checkpoint / "trainer_state.json")).max_steps
    elif params.train.fit_budget:
        speed = measured_speed(model, padding, dataset, sampler.batches(0), params.train.precision)
        validation_tokens = pc.sum(lengths).as_py() * params.train.epochs * params.train.validations_per_epoch
        steps = fitting_steps(speed, costs, validation_tokens, params.train.max_minutes)
    else:
        steps = len(costs)
    interruption = SaveWhenInterrupted()
    trainer = AveragingTrainer(
        model,
        arguments(params.train, params.seed, steps, checkpoints, model.device),
        data_collator=padding,
        train_dataset=dataset,
        eval_dataset=as_dataset(validation),
        compute_metrics=compute_metrics,
        callbacks=[
            Validations(sampler.steps_per_epoch, params.train.validations_per_epoch),
            TimeLimit(params.train.max_minutes, costs[:steps], params.train.runs),
            LiveCurves(curves),
            interruption,
        ],
        sampler=sampler,
        decay=params.train.averaging,
        layer_decay=params.train.layer_decay,
    )
    try:
        with interruption:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError:
        raise UserError("the GPU's memory is too small: lower train.batch_size or tokenize.max_length") from None

    if params.train.lora_rank:
        from sentiment.training.lora import merge_updates

        merge_updates(model.base_model)
    validations = {entry["step"]: entry for entry in trainer.state.log_history if "eval_log_loss" in entry}
    best = validations[trainer.state.best_global_step]
    return {
        "steps": trainer.state.global_step,
        "steps_asked": len(costs),
        "best_step": best["step"],
        "validations": len(validations),
        "validation": {name: best[f"eval_{name}"] for name in ("accuracy", "log_loss")},
        "parameters": model.num_parameters(),
        "parameters_trained": trained,
    }


def arguments(params: Train, seed: int, steps: int, folder: Path, device: torch.device) -> TrainingArguments:
    """Translate the parameters into the Trainer's arguments; `steps` are taken, whatever the epochs come to."""
    on_cpu = device.type == "cpu"
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=params.lr,
        per_device_train_batch_size=params.batch_size,
        per_device_eval_batch_size=64,
        warmup_steps=round(steps * params.warmup_share),
        weight_decay=params.weight_decay,
        lr_scheduler_type="constant_with_warmup" if params.scheduler == "constant" else params.scheduler,
        label_smoothing_factor=params.label_smoothing,
        optim="adamw_torch_fused",
        bf16=uses_bf16(params.precision, device),
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        dataloader_num_workers=params.data_workers,
        seed=seed,
        logging_steps=max(1, steps // 50),
        # The Validations callback decides when; these only have to agree with each other.
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=steps,
        save_steps=steps,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="accuracy",
        greater_is_better=True,
        report_to="none",
        remove_unused_columns=False,
    )
