"""Fine-tune the pretrained model on the training reviews, and keep the checkpoint that validates best.

Differences within one standard error do not count: among such checkpoints the newest is kept.

Reads   data/tokenized/{train,validation,validation_sentences}.parquet, models/pretrained/
Writes  models/sentiment/     weights (safetensors), tokenizer, config, preprocessing.json, calibration.json,
                              provenance.json, README.md
        metrics/train.json    steps, the best one, the shift of the bias and its drift, the model's validation
                              metrics, the temperature; no clock times
        plots/training/       curves of loss, learning rate and validation, written while it trains

An interrupted training is continued by the same command from its newest checkpoint (checkpoints/, or
SENTIMENT_CHECKPOINT_DIR); any change of data, parameters, code or environment starts a new one.

    python -m stages.train
"""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sentiment.core.command import run
from sentiment.core.files import replacing, require_intact, sha256, write_json
from sentiment.core.parquet import map_parquet, read_parquet
from sentiment.model.reproducible import fix_bits
from sentiment.params import Preprocessing, Train, load_params

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sentiment.text.encoding import Padding

TOKENIZED = Path("data/tokenized")
PRETRAINED = Path("models/pretrained")
MODEL = Path("models/sentiment")
METRICS = Path("metrics/train.json")
CURVES = Path("plots/training")
COLUMNS = ["input_ids", "label"]


def calibrate(
    model: "PreTrainedModel", padding: "Padding", validation: pa.Table, sentences: pa.Table | None, params: Train
) -> dict[str, Any]:
    """Correct the trained model's bias where there are sentences for it, and return what it is worth then.

    These are bias_shift, length_drift, validation (accuracy, log loss before the temperature) and temperature.
    """
    from sentiment.metrics import evaluate, scores_of
    from sentiment.model.prediction import predict
    from sentiment.training.bias import correct_bias, length_drift
    from sentiment.training.calibration import fit_temperature

    found: dict[str, Any] = {}
    if sentences is not None:
        found["bias_shift"] = correct_bias(model, sentences, padding, params.precision)
    labels, sequences = validation["label"].to_numpy(), validation["input_ids"].to_pylist()
    logits = predict(model, sequences, padding, batch_size=64, precision=params.precision)
    if sentences is not None and params.correct_bias == "by_length":
        drift = length_drift(sentences, validation, logits)
        logits = drift.correct(logits, [len(ids) for ids in sequences])
        found["length_drift"] = drift.model_dump()
    metrics = evaluate(labels, scores_of(logits))
    found["validation"] = {name: metrics[name] for name in ("accuracy", "log_loss")}
    found["temperature"] = fit_temperature(labels, logits)
    return found


def main() -> None:
    params = load_params()
    validation = read_parquet(TOKENIZED / "validation.parquet", COLUMNS)
    # Before the training, should it be missing or damaged.
    sentences = read_parquet(TOKENIZED / "validation_sentences.parquet", COLUMNS) if params.train.correct_bias else None
    # Reviews that are learnt from in parts have several rows.
    reviews = pc.count_distinct(read_parquet(TOKENIZED / "train.parquet", ["id"])["id"]).as_py()
    sizes = {"train": reviews, "validation": validation.num_rows}

    from transformers import set_seed

    from sentiment.model.device import device, uses_bf16
    from sentiment.model.length_drift import FILE
    from sentiment.model.loading import PROVENANCE
    from sentiment.model.model_card import model_card
    from sentiment.text.encoding import Padding, load_tokenizer
    from sentiment.training.averaging import fine_tune_several, mix_in, weights_of
    from sentiment.training.bias import output_bias, typical_lengths
    from sentiment.training.build import build, fit_head
    from sentiment.training.checkpoints import claimed, folder_for
    from sentiment.training.fine_tune import fine_tune
    from sentiment.training.provenance import environment

    # Everything that the bits of the result depend on is fixed, and written down, before the model is built.
    fix_bits(params)
    set_seed(params.seed)
    origin = json.loads((PRETRAINED / "origin.json").read_text(encoding="utf-8"))
    require_intact(PRETRAINED, origin["files"], "download")
    bf16 = uses_bf16(params.train.precision, device())
    inputs = [path for folder in (PRETRAINED, TOKENIZED) for path in sorted(folder.rglob("*")) if path.is_file()]
    provenance = {
        "environment": environment(params.threads, device().type, bf16=bf16),
        "inputs": {path.as_posix(): sha256(path) for path in inputs},
        "parameters": {"seed": params.seed, "train": params.train.decisive},
    }
    checkpoints = folder_for(provenance, [Path("stages/train.py"), *sorted(Path("sentiment").rglob("*.py"))])

    with claimed(checkpoints):
        train = map_parquet(TOKENIZED / "train.parquet", COLUMNS, checkpoints / "train.arrow")

        tokenizer = load_tokenizer(PRETRAINED)
        padding = Padding.of(tokenizer)
        model = build(PRETRAINED, tokenizer, params.train).to(device())
        if params.train.correct_bias:
            # Before the training, should it lack one.
            output_bias(model)
        if sentences is not None and params.train.correct_bias == "by_length":
            typical_lengths(sentences, validation)
        if params.train.head == "probe":
            fit_head(model, train, padding, params.train.precision)
        pretrained = weights_of(model.base_model) if params.train.pretrained_share else {}
        fit = fine_tune if params.train.runs == 1 else fine_tune_several
        metrics = fit(model, padding, train, validation, params, checkpoints=checkpoints, curves=CURVES)
        mix_in(model.base_model, pretrained, params.train.pretrained_share)
        metrics |= calibrate(model, padding, validation, sentences, params.train)

        preprocessing = Preprocessing(cleaning=params.subsample.cleaning, tokenize=params.tokenize)
        with replacing(MODEL) as folder:
            model.save_pretrained(folder)
            # Loaded afresh: a tokenizer that was used remembers the last truncation and padding.
            load_tokenizer(PRETRAINED).save_pretrained(folder)
            write_json(folder / "preprocessing.json", preprocessing.model_dump())
            write_json(folder / FILE, {key: metrics[key] for key in ("temperature", "length_drift") if key in metrics})
            outputs = {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}
            write_json(folder / PROVENANCE, provenance | {"outputs": outputs})
            card = model_card(params, origin, sizes, metrics)
            (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")
        write_json(METRICS, metrics)
        shutil.rmtree(checkpoints)


if __name__ == "__main__":
    run(main, "train")
