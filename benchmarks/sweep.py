"""Try parameters on validation reviews: how the defaults of params.yaml were chosen, and how recipes for IMDB compare.

Reads   benchmarks/sweep.yaml or another plan, the pipeline as committed
Writes  benchmarks/sweep.json, or beside the other plan: accuracy and log loss of the model on the validation reviews,
        and its accuracy on those of each style, per trial and seed

    python -m benchmarks.sweep
    python -m benchmarks.sweep benchmarks/imdb_sweep.yaml FOLDER    FOLDER has the files that benchmarks.imdb reads

Trials that are in the results already are not run again; delete those to start anew.
"""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.imdb import know
from benchmarks.trials import Clone, temporary_clone
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.core.schemas import read_yaml
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import evaluate
from sentiment.reviews.selection import content_id
from sentiment.tables.reader import Reader
from sentiment.text.cleaning import clean

PLAN = Path("benchmarks/sweep.yaml")
SAMPLES = (Path("data/sample_reviews.parquet"), Path("data/more_reviews.csv"))


def trial(clone: Clone, overrides: dict[str, Any], styles: dict[str, str]) -> dict[str, Any]:
    """Train in the clone with the overrides (dotted key: value) and return the model's figures on its validation.

    `styles` are those of reviews, by the id of their texts. The model is scored as it is saved, mixed and corrected.
    """
    clone.set(overrides)
    clone.reproduce("train")
    params = load_params(clone.folder / "params.yaml")
    torch.set_num_threads(params.threads)
    validation = read_parquet(clone.folder / "data/subsampled/validation.parquet", ["id", "text", "label"])
    scores = Scorer(clone.folder / "models/sentiment", params).score_texts(validation["text"].to_pylist())
    labels = validation["label"].to_numpy()
    figures = evaluate(labels, scores)
    style = validation["id"].to_pandas().map(styles)
    right = pd.Series((scores >= 0.5) == labels)
    by_style = {str(name): float(group.mean()) for name, group in right.groupby(style)}
    return {"accuracy": figures["accuracy"], "log_loss": figures["log_loss"], "accuracy_by_style": by_style}


def styles_of(paths: Iterable[Path]) -> dict[str, str]:
    """Return the style of each review of the files written for this project, by the id of its text."""
    styles: dict[str, str] = {}
    cleaning = load_params().subsample.cleaning
    for path in paths:
        for batch in Reader(path, columns=["text", "style"], bad_rows="stop"):
            texts = clean(batch.table["text"].combine_chunks(), cleaning).to_pylist()
            styles |= dict(zip(map(content_id, texts), batch.table["style"].to_pylist(), strict=True))
    return styles


def main() -> None:
    parser = ArgumentParser("sweep")
    parser.add_argument("plan", nargs="?", type=Path, default=PLAN)
    parser.add_argument("folder", nargs="?", type=Path, help="of reviews that the catalog's imdb is made of")
    arguments = parser.parse_args()
    plan, file = read_yaml(arguments.plan), arguments.plan.with_suffix(".json")
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"base": plan["base"], "trials": []}
    if results["base"] != plan["base"]:
        raise UserError(f"{file} was measured with another base than that of {arguments.plan}: delete it to start anew")
    known = {json.dumps(result["change"], sort_keys=True): result for result in results["trials"]}
    styles = styles_of(SAMPLES)
    with temporary_clone() as clone:
        if arguments.folder:
            know(clone, arguments.folder.resolve())
        runs = [(seed, change) for seed in plan["seeds"] for change in plan["trials"]]
        for seed, change in tqdm(runs, desc="trials"):
            result = known.setdefault(json.dumps(change, sort_keys=True), {"change": change, "seeds": {}})
            if str(seed) not in result["seeds"]:
                result["seeds"][str(seed)] = trial(clone, {**plan["base"], **change, "seed": seed}, styles)
                write_json(file, {"base": plan["base"], "trials": list(known.values())})


if __name__ == "__main__":
    run(main, "sweep")
