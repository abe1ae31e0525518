"""Train a small setting many times, one parameter changed each time: what docs/training.md shows.

Reads   benchmarks/learning_curves.yaml, params.yaml, models/pretrained/, data/subsampled/, data/cross/ (make run)
Writes  benchmarks/learning_curves.json    per trial: curves of the loss and of the validations, the checkpoint that is
                                           kept; per number of training reviews: accuracy, and that of the strongest
                                           cheap rival; with few of them that of SetFit, too

    python -m benchmarks.learning_curves    (an hour on one core; make figures draws it)

What is in learning_curves.json already is not trained again; delete it to start anew.
"""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from tqdm import tqdm
from transformers import PreTrainedModel, set_seed

from benchmarks.setfit import SetFit
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params
from sentiment.core.parquet import read_parquet
from sentiment.core.schemas import read_yaml
from sentiment.evaluation.baseline import Labelled, strongest
from sentiment.metrics import evaluate, scores_of
from sentiment.model.device import device
from sentiment.model.prediction import predict
from sentiment.reviews.leaks import NONE, Leaks
from sentiment.reviews.selection import draw, without
from sentiment.text.encoding import Encoder, Padding, load_tokenizer
from sentiment.training.build import build
from sentiment.training.fine_tune import fine_tune

PLAN = Path("benchmarks/learning_curves.yaml")
RESULTS = Path("benchmarks/learning_curves.json")
PRETRAINED = Path("models/pretrained")
SUBSAMPLED = Path("data/subsampled")
CROSS = Path("data/cross")
POINTS = 20
"""The curve of the training loss is kept as the means of so many stretches."""
SHORT = ("accuracy", "accuracy_low", "accuracy_high", "n")


def change_params(changes: dict[str, Any]) -> Params:
    """Return params.yaml with the values of some dotted keys changed; raise ValidationError where one is not legal."""
    content = read_yaml("params.yaml")
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = content
        for part in sections:
            section = section[part]
        section[name] = value
    return Params.model_validate(content)


def splits(validation: int, threshold: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a pool to train on and `validation` reviews, which share nothing; the test reviews stay out of both."""
    tables = [read_parquet(SUBSAMPLED / f"{name}.parquet", ["id", "text", "label"]) for name in ("train", "validation")]
    reviews = pa.concat_tables(tables).to_pandas()
    reviews["id"] = np.array([int(key, 16) for key in reviews.id], np.uint64)
    held_out = draw(reviews, validation, "learning curves")
    pool = without(reviews, held_out)
    return pool[Leaks(held_out.text, threshold).find(pool.text.tolist()) == NONE], held_out


def encode(reviews: pd.DataFrame, params: Params) -> pa.Table:
    encode = Encoder(load_tokenizer(PRETRAINED), params.tokenize)
    ids = [review.input_ids for review in encode(reviews.text)]
    return pa.table({"input_ids": pa.array(ids, pa.list_(pa.int32())), "label": pa.array(reviews.label, pa.int8())})


def curve(folder: Path, name: str, points: int | None = None) -> dict[str, list[float]]:
    """Return the steps and values of a live curve, or their means over `points` stretches."""
    table = pd.read_csv(folder / f"plots/metrics/{name}.tsv", sep="\t")
    if points:
        table = table.groupby(np.arange(len(table)) * min(points, len(table)) // len(table)).mean()
    return {"step": table["step"].tolist(), "value": table[name.rpartition("/")[2]].tolist()}


def fit(train: pd.DataFrame, validation: pd.DataFrame, params: Params) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Fine-tune as the train stage does; return the model and its curves and validation metrics."""
    set_seed(params.seed)
    tokenizer = load_tokenizer(PRETRAINED)
    model = build(PRETRAINED, tokenizer, params.train, device(params.device))
    with tempfile.TemporaryDirectory() as temporary:
        checkpoints, curves = Path(temporary, "checkpoints"), Path(temporary, "curves")
        metrics = fine_tune(
            model,
            Padding.of(tokenizer),
            encode(train, params),
            encode(validation, params),
            params,
            checkpoints=checkpoints,
            curves=curves,
        )
        return model, {
            "steps": metrics["steps"],
            "best_step": metrics["best_step"],
            **metrics["validation"],
            "loss": curve(curves, "train/loss", POINTS),
            "validation_log_loss": curve(curves, "validation/log_loss"),
            "validation_accuracy": curve(curves, "validation/accuracy"),
        }


def short(reviews: pd.DataFrame, scores: NDArray[np.floating]) -> dict[str, Any]:
    return {key: value for key, value in evaluate(reviews.label, scores).items() if key in SHORT}


def labelled(reviews: pd.DataFrame) -> Labelled:
    return Labelled(reviews.text.tolist(), reviews.label.to_numpy())


def compare(train: pd.DataFrame, scored: dict[str, pd.DataFrame], params: Params, *, setfit: bool) -> dict[str, Any]:
    """Return the accuracy, on each of `scored`, of the model, the strongest rival and, if asked for, SetFit.

    All learn from the same reviews; `validation` chooses the checkpoint and the rival, which is named.
    """
    model, _ = fit(train, scored["validation"], params)
    padding = Padding.of(load_tokenizer(PRETRAINED))
    found = strongest(labelled(train), labelled(scored["validation"]), params)
    classifiers = {"baseline": found.score}
    if setfit:
        classifiers["setfit"] = SetFit(PRETRAINED, train, max_length=params.tokenize.max_length, seed=params.seed).score
    figures: dict[str, Any] = {"rival": found.chosen.rival}
    for name, reviews in scored.items():
        sequences = encode(reviews, params)["input_ids"].to_pylist()
        logits = predict(model, sequences, padding, batch_size=params.evaluate.batch_size, precision=params.precision)
        figures[name] = {"model": short(reviews, scores_of(logits))}
        figures[name] |= {kind: short(reviews, score(reviews.text.tolist())) for kind, score in classifiers.items()}
    return figures


def main() -> None:
    plan = read_yaml(PLAN)
    base = change_params(plan["base"])
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"trials": [], "sizes": {}}
    if known["trials"] and known["base"] != plan["base"]:
        raise UserError(f"{RESULTS} was measured with another base than that of {PLAN}: delete it to start anew")
    results: dict[str, Any] = {**known, **{key: plan[key] for key in ("base", "rows", "validation", "steps", "others")}}
    torch.set_num_threads(base.threads)
    pool, validation = splits(plan["validation"], base.subsample.near_duplicate)
    others = pa.concat_tables(read_parquet(CROSS / f"{name}.parquet", ["text", "label"]) for name in plan["others"])

    done = [trial["change"] for trial in results["trials"]]
    train = draw(pool, plan["rows"], "train")
    for change in tqdm([change for change in plan["trials"] if change not in done], desc="trials"):
        _, figures = fit(train, validation, change_params({**plan["base"], **change}))
        results["trials"].append({"change": change, **figures})
        write_json(RESULTS, results)
    scored = {"validation": validation, "others": others.to_pandas()}
    few = [2 * per_class for per_class in plan["few"]]
    for size in tqdm([size for size in few + plan["sizes"] if str(size) not in results["sizes"]], desc="sizes"):
        steps = -(-size // base.train.batch_size)
        epochs = max(math.ceil(base.train.epochs), -(-plan["steps"] // steps))
        params = change_params({**plan["base"], "train.epochs": epochs, "train.validations_per_epoch": 1})
        reviews = draw(pool, size, "train")
        if size in few:
            halves = [draw(pool[pool.label == label], size // 2, "train") for label in (0, 1)]
            reviews = pd.concat(halves).reset_index(drop=True)
        found = compare(reviews, scored, params, setfit=size in few)
        results["sizes"][str(size)] = {"epochs": epochs, **found}
        write_json(RESULTS, results)


if __name__ == "__main__":
    run(main, "learning_curves")
