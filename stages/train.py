"""Fine-tune the pretrained model on the training reviews, and keep the checkpoint that validates best.

Differences within one standard error do not count: among such checkpoints the newest is kept.

Reads   data/tokenized/{train,validation,validation_sentences}.parquet, data/tokenized/preprocessing.json,
        models/pretrained/
Writes  models/sentiment/     weights (safetensors), calibrated; tokenizer, config, preprocessing.json, provenance.json,
                              README.md; architecture.py where the pooling is mean, for who has not this project;
                              decision.json: threshold and zone of doubt; length_drift.json where the bias is
                              corrected by length
        metrics/train.json    steps, the best one, the shift of the bias and its drift, the model's validation
                              metrics, the temperature, the decision; no clock times
        plots/training/       curves of loss, learning rate and validation, written while it trains

An interrupted training is resumed by the same command from its newest checkpoint (checkpoints/, or
SENTIMENT_CHECKPOINT_DIR); any change of data, parameters, code or environment starts a new one.

Where there are several GPUs, or train.processes asks for it, it runs once in each of several processes, which train
together. Started by a launcher, such as torchrun, it joins those that were started with it.

    python -m stages.train
"""

import gc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.core import processes
from sentiment.core.command import run
from sentiment.core.files import replacing, require_intact, sha256, write_json
from sentiment.core.launching import start
from sentiment.core.params import Preprocessing, load_params, load_preprocessing
from sentiment.core.parquet import map_parquet, read_parquet
from sentiment.model.reproducible import fix_bits
from sentiment.text.encoded_rows import count_reviews

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROOT = Path(__file__).parents[1]
TOKENIZED = Path("data/tokenized")
PRETRAINED = Path("models/pretrained")
MODEL = Path("models/sentiment")
METRICS = Path("metrics/train.json")
CURVES = Path("plots/training")
COLUMNS = ["input_ids", "label"]


def main() -> None:
    params = load_params()
    # Before the training, should one be missing or damaged.
    preprocessing = load_preprocessing(TOKENIZED)
    validation = read_parquet(TOKENIZED / "validation.parquet", COLUMNS)
    sentences = read_parquet(TOKENIZED / "validation_sentences.parquet", COLUMNS)
    sizes = {"train": count_reviews(TOKENIZED / "train.parquet"), "validation": validation.num_rows}

    # Everything that the bits of the result depend on is fixed, and written down, before the model is built.
    fix_bits(params)
    if start(params, "stages.train"):
        return

    from transformers import set_seed

    from sentiment.model.device import device
    from sentiment.model.model_card import model_card
    from sentiment.text.encoding import Padding, load_tokenizer
    from sentiment.training.averaging import mix_in, weights_of
    from sentiment.training.bias import check_bias
    from sentiment.training.build import build
    from sentiment.training.calibration import calibrate
    from sentiment.training.checkpoints import discard, folder_for, held
    from sentiment.training.fine_tune import fine_tune
    from sentiment.training.provenance import provenance_of
    from sentiment.training.runs import fine_tune_several
    from sentiment.training.trackers import prepare

    prepare(params.train.report_to)
    set_seed(params.seed)
    origin = json.loads((PRETRAINED / "origin.json").read_text(encoding="utf-8"))
    processes.by_main(lambda: require_intact(PRETRAINED, origin["files"], "download"))
    provenance = processes.by_main(lambda: provenance_of(params, [PRETRAINED, TOKENIZED]))
    code = [Path(__file__), *sorted((ROOT / "sentiment").rglob("*.py"))]
    checkpoints = folder_for(provenance, code, ROOT)

    with held(checkpoints):
        train = map_parquet(TOKENIZED / "train.parquet", COLUMNS, checkpoints / "train.arrow")

        tokenizer = load_tokenizer(PRETRAINED)
        padding = Padding.of(tokenizer)
        model = build(PRETRAINED, tokenizer, params.train, device(params.device))
        check_bias(model, sentences, validation, params.train.correct_bias)
        pretrained = weights_of(model.base_model) if params.train.pretrained_share else {}
        fit = fine_tune if params.train.runs == 1 else fine_tune_several
        metrics = fit(model, padding, train, validation, params, checkpoints=checkpoints, curves=CURVES)
        mix_in(model.base_model, pretrained, params.train.pretrained_share)
        metrics |= calibrate(model, padding, validation, sentences, params)
        if not processes.is_main():
            return

        write_model(model, preprocessing, provenance, metrics, model_card(params, origin, sizes, metrics))
        write_json(METRICS, metrics)
    # Windows removes no file that is mapped into memory.
    del train
    gc.collect()
    discard(checkpoints)


def write_model(
    model: "PreTrainedModel",
    preprocessing: Preprocessing,
    provenance: dict[str, Any],
    metrics: dict[str, Any],
    card: str,
) -> None:
    """Write the folder of the trained model, which is whole or absent."""
    from sentiment.model import decision, length_drift
    from sentiment.model.loading import PROVENANCE, save
    from sentiment.text.encoding import load_tokenizer

    with replacing(MODEL) as folder:
        # Loaded afresh: a tokenizer that was used remembers the last truncation and padding.
        save(model, load_tokenizer(PRETRAINED), preprocessing, folder)
        write_json(folder / decision.FILE, metrics["decision"])
        if "length_drift" in metrics:
            write_json(folder / length_drift.FILE, metrics["length_drift"])
        outputs = {file.name: sha256(file) for file in sorted(folder.glob("*.safetensors"))}
        write_json(folder / PROVENANCE, provenance | {"outputs": outputs})
        (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main, "train", several=True)
