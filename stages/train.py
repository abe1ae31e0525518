"""Fine-tune the pretrained model on the training reviews, and keep the checkpoint that validates best.

Differences within one standard error do not count: among such checkpoints the newest is kept.

Reads   data/tokenized/{train,validation}.parquet, models/pretrained/
Writes  models/sentiment/     weights (safetensors), tokenizer, config, preprocessing.json, calibration.json,
                              provenance.json, README.md
        metrics/train.json    steps, the best one and its validation metrics, the temperature; no clock times
        plots/training/       curves of loss, learning rate and validation, written while it trains

An interrupted training is continued by the same command from its newest checkpoint (checkpoints/, or
SENTIMENT_CHECKPOINT_DIR); any change of data, parameters, code or environment starts a new one.

    python -m stages.train
"""

import json
import shutil
from pathlib import Path

import pyarrow.compute as pc

from sentiment.command import run
from sentiment.files import replacing, require_intact, sha256, write_json
from sentiment.params import Preprocessing, load_params
from sentiment.parquet import map_parquet, read_parquet
from sentiment.portable import fix_bits

TOKENIZED = Path("data/tokenized")
PRETRAINED = Path("models/pretrained")
MODEL = Path("models/sentiment")
METRICS = Path("metrics/train.json")
CURVES = Path("plots/training")
COLUMNS = ["input_ids", "label"]


def main() -> None:
    params = load_params()
    validation = read_parquet(TOKENIZED / "validation.parquet", COLUMNS)
    # Reviews that are learnt from in parts have several rows.
    reviews = pc.count_distinct(read_parquet(TOKENIZED / "train.parquet", ["id"])["id"]).as_py()
    sizes = {"train": reviews, "validation": validation.num_rows}

    from transformers import set_seed

    from sentiment.calibration import FILE, fit_temperature
    from sentiment.checkpoints import claimed, folder_for
    from sentiment.classifier import PROVENANCE, build, device, fit_head, predict, uses_bf16
    from sentiment.encoding import Padding, load_tokenizer
    from sentiment.model_card import environment, model_card
    from sentiment.soup import fine_tune_several
    from sentiment.training import fine_tune

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
    checkpoints = folder_for(provenance, [Path(__file__), *sorted(Path("sentiment").glob("*.py"))])

    with claimed(checkpoints):
        train = map_parquet(TOKENIZED / "train.parquet", COLUMNS, checkpoints / "train.arrow")

        tokenizer = load_tokenizer(PRETRAINED)
        padding = Padding.of(tokenizer)
        model = build(PRETRAINED, tokenizer, params.train).to(device())
        if params.train.head == "probe":
            fit_head(model, train, padding, params.train.precision)
        fit = fine_tune if params.train.runs == 1 else fine_tune_several
        metrics = fit(model, padding, train, validation, params, checkpoints=checkpoints, curves=CURVES)
        logits = predict(
            model, validation["input_ids"].to_pylist(), padding, batch_size=64, precision=params.train.precision
        )
        metrics["temperature"] = fit_temperature(validation["label"].to_numpy(), logits)

        preprocessing = Preprocessing(cleaning=params.subsample.cleaning, tokenize=params.tokenize)
        with replacing(MODEL) as folder:
            model.save_pretrained(folder)
            # Loaded afresh: a tokenizer that was used remembers the last truncation and padding.
            load_tokenizer(PRETRAINED).save_pretrained(folder)
            write_json(folder / "preprocessing.json", preprocessing.model_dump())
            write_json(folder / FILE, {"temperature": metrics["temperature"]})
            outputs = {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}
            write_json(folder / PROVENANCE, provenance | {"outputs": outputs})
            card = model_card(params, origin, sizes, metrics)
            (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")
        write_json(METRICS, metrics)
        shutil.rmtree(checkpoints)


if __name__ == "__main__":
    run(main, "train")
