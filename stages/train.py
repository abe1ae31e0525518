"""Fine-tune the pretrained model on the training reviews; the checkpoint with the best validation log loss is kept.

Reads   data/tokenized/{train,validation}.parquet, models/pretrained/
Writes  models/sentiment/     weights (safetensors), tokenizer, config, preprocessing.json, provenance.json, README.md
        metrics/train.json    steps, the best one and its validation metrics; no clock times
        plots/training/       curves of loss, learning rate and validation, written while it trains

An interrupted training is continued by the same command from its newest checkpoint (checkpoints/, or
SENTIMENT_CHECKPOINT_DIR); any change of data, parameters, code or environment starts a new one.

    python -m stages.train
"""

import json
import shutil
from pathlib import Path

from sentiment.command import run
from sentiment.files import replacing, sha256, write_json
from sentiment.params import Preprocessing, load_params
from sentiment.reviews import read_parquet

TOKENIZED = Path("data/tokenized")
PRETRAINED = Path("models/pretrained")
MODEL = Path("models/sentiment")
METRICS = Path("metrics/train.json")
CURVES = Path("plots/training")


def main() -> None:
    params = load_params()
    rows = {
        split: read_parquet(TOKENIZED / f"{split}.parquet", ["input_ids", "label"]) for split in ("train", "validation")
    }

    import torch
    from datasets import Dataset
    from transformers import set_seed

    from sentiment import checkpoints, classifier, model_card, training
    from sentiment.encoding import Padding, load_tokenizer

    # Everything that the bits of the result depend on is fixed, and written down, before the model is built.
    torch.set_num_threads(params.threads)
    set_seed(params.seed)
    device = classifier.device()
    bf16 = classifier.uses_bf16(params.train.precision, device)
    preprocessing = Preprocessing(cleaning=params.subsample.cleaning, tokenize=params.tokenize)
    inputs = [path for folder in (PRETRAINED, TOKENIZED) for path in sorted(folder.rglob("*")) if path.is_file()]
    provenance = {
        "environment": model_card.environment(params.threads, device.type, bf16=bf16),
        "inputs": {path.as_posix(): sha256(path) for path in inputs},
        "parameters": {"seed": params.seed, "train": params.train.model_dump(exclude={"max_minutes"})},
    }
    code = [Path(__file__), *sorted(Path("sentiment").glob("*.py"))]
    checkpoint_folder = checkpoints.folder_for(provenance, code)

    # Build the classifier and what feeds it.
    tokenizer = load_tokenizer(PRETRAINED)
    padding = Padding.of(tokenizer)
    model = classifier.build(PRETRAINED, tokenizer, params.train, attention="sdpa" if device.type == "cuda" else "eager")
    datasets = {split: Dataset(table.rename_columns(["input_ids", "labels"])) for split, table in rows.items()}
    lengths = [len(ids) for ids in rows["train"]["input_ids"].to_pylist()]
    sampler = training.LengthBucketSampler(lengths, params.train.batch_size, params.seed)
    costs = sampler.padded_tokens(params.train.epochs)
    if params.train.head == "probe":
        classifier.fit_head(
            model, rows["train"]["input_ids"].to_pylist(), rows["train"]["label"].to_pylist(), padding,
            params.train.precision,
        )
    trainer = training.BucketedTrainer(
        model,
        training.arguments(
            params.train, params.seed, len(costs), checkpoint_folder, bf16=bf16, on_cpu=device.type == "cpu"
        ),
        data_collator=padding,
        train_dataset=datasets["train"],
        eval_dataset=datasets["validation"],
        compute_metrics=training.compute_metrics,
        callbacks=[
            training.Validations(len(costs) // params.train.epochs, params.train.validations_per_epoch),
            training.TimeLimit(params.train.max_minutes, costs),
            training.LiveCurves(CURVES),
        ],
        sampler=sampler,
    )

    # Train, from the newest checkpoint of this very training if there is one.
    checkpoint = checkpoints.newest_complete(checkpoint_folder)
    if checkpoint:
        print(f"continuing from {checkpoint}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    # Write the model with all that is needed to use it and to make it again.
    validations = [entry for entry in trainer.state.log_history if "eval_log_loss" in entry]
    best = min(validations, key=lambda entry: entry["eval_log_loss"])
    metrics = {
        "steps": trainer.state.global_step,
        "best_step": best["step"],
        "validations": len(validations),
        "validation": {name: best[f"eval_{name}"] for name in ("accuracy", "log_loss")},
        "parameters": model.num_parameters(),
        "parameters_trained": model.num_parameters(only_trainable=True),
    }
    sizes = {split: table.num_rows for split, table in rows.items()}
    origin = json.loads((PRETRAINED / "origin.json").read_text(encoding="utf-8"))
    with replacing(MODEL) as target:
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
        write_json(target / "preprocessing.json", preprocessing.model_dump())
        write_json(target / "provenance.json", provenance)
        card = model_card.model_card(params, origin, sizes, metrics)
        (target / "README.md").write_text(card, encoding="utf-8", newline="\n")
    write_json(METRICS, metrics)
    shutil.rmtree(checkpoint_folder)


if __name__ == "__main__":
    run(main, "train")
