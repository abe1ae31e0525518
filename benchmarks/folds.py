"""Score every review that can be learnt from by a model that did not learn from it: cross-validation in K folds.

The training and validation reviews are cut into folds that part no companions and near-duplicates. For each fold the
pipeline's own stages, in a clone, train on the others, validation reviews among them, and score this one. The folds
depend on the reviews and params.yaml's seed alone, so another setting is compared on the same ones, review by review.

Reads   data/subsampled/{train,validation}.parquet, params.yaml, the pipeline as committed
Writes  benchmarks/folds.json         headline metrics per fold and setting, their mean and standard deviation, and the
                                      difference that the other setting makes
        data/folds/scores.parquet     id, text, label, fold, score (the probability of positive), params.yaml as it is
        data/folds/changed.parquet    the same with the other setting

    python -m benchmarks.folds 5                       (make folds K=5)
    python -m benchmarks.folds 5 --set train.lr=1e-4   (make folds K=5 SET='train.lr=1e-4')

What has been trained is in DVC's cache and not trained again; an interrupted training is continued.
"""

import subprocess
from argparse import ArgumentParser
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from ruamel.yaml import YAML
from tqdm import tqdm

from benchmarks.grouping import folds_of, groups
from benchmarks.seeds import HEADLINE, summary
from benchmarks.trials import Clone, temporary_clone
from sentiment.comparison.freshness import what_changed
from sentiment.comparison.runs import WORKSPACE, Run
from sentiment.comparison.significance import compare, flatten, pair
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import sha256, write_json
from sentiment.core.params import Params, load_params
from sentiment.core.parquet import read_parquet, write_parquet
from sentiment.core.schemas import read_yaml, validate

if TYPE_CHECKING:
    import pandas as pd

SUBSAMPLED = Path("data/subsampled")
RESULTS = Path("benchmarks/folds.json")
SCORES = Path("data/folds/scores.parquet")
CHANGED = Path("data/folds/changed.parquet")
AS_IT_IS = "params.yaml"
"""The name of the setting that changes nothing."""
DATASET = "folds"
WHOLE = {"dataset": DATASET, "subsample.train_size": None, "subsample.test_size": None, "subsample.balance": False}
"""What makes `subsample` take all reviews of a fold and of the others: they have been drawn."""
FIXED = ("dataset", "download.", "subsample.")
"""Parameters that decide which reviews there are, which two settings must share."""


def changes(settings: list[str]) -> dict[str, Any]:
    """Return the value of each KEY=VALUE by its key; raise UserError for what is no parameter, or may not change."""
    known = flatten(read_yaml("params.yaml"))
    found = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in known:
            near = get_close_matches(key, known, n=1) or ["train.lr"]
            raise UserError(f"--set {setting}: give KEY=VALUE, KEY being one of params.yaml's, such as {near[0]}")
        if key.startswith(FIXED):
            raise UserError(
                f"--set {setting}: both settings must learn from the same reviews, which {key} decides; change another "
                "parameter, or params.yaml itself"
            )
        found[key] = YAML(typ="safe", pure=True).load(value)
    return found


def read_pool() -> "pd.DataFrame":
    """Return the reviews to learn from (id, text, label) by id; raise UserError where they are missing or outdated."""
    import pandas as pd

    paths = [SUBSAMPLED / f"{split}.parquet" for split in ("train", "validation")]
    tables = [read_parquet(path, ["id", "text", "label"]).to_pandas() for path in paths]
    workspace = Run(WORKSPACE)
    if changed := what_changed(paths[0].as_posix(), workspace.stages, workspace.params):
        raise UserError(f"{SUBSAMPLED} is out of date, as {changed}: dvc repro subsample brings it up to date")
    return pd.concat(tables).sort_values("id", ignore_index=True)


def put_dataset(clone: Clone, pool: "pd.DataFrame", fold: int) -> None:
    """Put a dataset into the clone and its catalog: its test split is the fold, its training split the others."""
    splits = {"train": pool[pool.fold != fold], "test": pool[pool.fold == fold]}
    folder = clone.folder / DATASET
    for name, reviews in splits.items():
        table = pa.table({"text": pa.array(reviews.text, pa.string()), "label": pa.array(reviews.label, pa.int8())})
        write_parquet(folder / f"{name}.parquet", table)
    entry = {
        "description": "One fold, and the others.",
        "source": {"folder": DATASET},
        "licence": "that of the reviews",
        "files": {f"{name}.parquet": sha256(folder / f"{name}.parquet") for name in splits},
        "text": "text",
        "label": "label",
        "splits": {name: {"file": f"{name}.parquet"} for name in splits},
    }
    yaml = YAML()
    catalog = yaml.load(Path("catalog.yaml"))
    catalog["datasets"][DATASET] = entry
    yaml.dump(catalog, clone.folder / "catalog.yaml")


def score(clone: Clone, pool: "pd.DataFrame", fold: int, change: dict[str, Any]) -> "pd.DataFrame":
    """Train on all folds but one, and return that one's reviews with their scores."""
    put_dataset(clone, pool, fold)
    clone.set(change | WHOLE)
    try:
        clone.reproduce("evaluate")
    except subprocess.CalledProcessError:
        raise UserError(f"fold {fold + 1} was not scored: see above why; the same command continues") from None
    predictions = read_parquet(clone.folder / "data/predictions/test.parquet", ["id", "score"]).to_pandas()
    return pool[pool.fold == fold].merge(predictions, on="id", validate="one_to_one")


def sentence(name: str, found: dict[str, Any]) -> str:
    """Say how much better or worse another setting is, and whether chance could have done it."""
    better = f"{abs(found['difference']):.4f} {'higher' if found['difference'] >= 0 else 'lower'}"
    low, high = found["difference_low"], found["difference_high"]
    return (
        f"with {name} the accuracy is {better} (95 % interval of the difference {low:+.4f} to {high:+.4f}, "
        f"McNemar's p {found['mcnemar_p']:.3g}) on the same {found['n']:,} reviews"
    )


def write(path: Path, scored: list["pd.DataFrame"]) -> "pd.DataFrame":
    """Write the scores of all folds, and return them."""
    import pandas as pd

    reviews = pd.concat(scored).sort_values("id", ignore_index=True)
    write_parquet(path, pa.Table.from_pandas(reviews[["id", "text", "label", "fold", "score"]], preserve_index=False))
    return reviews


def main() -> None:
    parser = ArgumentParser("folds")
    parser.add_argument("number", type=int, help="how many folds: 2 or more")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another setting to compare")
    arguments = parser.parse_args()
    if arguments.number < 2:
        raise UserError(f"{arguments.number} folds leave nothing to learn from: give 2 or more")
    change = changes(arguments.set)
    other = ", ".join(arguments.set)
    settings: dict[str, dict[str, Any]] = {AS_IT_IS: {}} | ({other: change} if change else {})
    params = load_params()
    pool = read_pool()

    figures: dict[str, dict[str, dict[str, float]]] = {}
    scored: dict[str, list[pd.DataFrame]] = {name: [] for name in settings}
    with temporary_clone() as clone:
        clone.set(change)
        validate(Params, read_yaml(clone.folder / "params.yaml"), "--set")
        together = groups(pool.text.tolist(), params.subsample.near_duplicate)
        pool["fold"] = folds_of(pool.label.to_numpy(), together, arguments.number, params.seed)
        for fold in tqdm(range(arguments.number), desc="folds"):
            figures[str(fold + 1)] = {}
            for name, overrides in settings.items():
                scored[name].append(score(clone, pool, fold, overrides))
                metrics = clone.read("metrics/evaluate.json")
                figures[str(fold + 1)][name] = {metric: metrics[metric] for metric in HEADLINE}

    spreads = summary(figures)
    found: dict[str, Any] = {"folds": figures, "summary": spreads, "seed": params.seed}
    found |= {"reviews": len(pool), "groups": len(np.unique(together))}
    ours = write(SCORES, scored[AS_IT_IS])
    for name in settings:
        accuracy = spreads[name]["accuracy"]
        print(f"{name}: accuracy {accuracy['mean']:.4f} ± {accuracy['sd']:.4f} over {arguments.number} folds")
    if change:
        difference = compare(pair(ours, write(CHANGED, scored[other]), "the folds"))
        found["difference"] = {"setting": other} | difference
        print(sentence(other, difference))
    else:
        CHANGED.unlink(missing_ok=True)
    write_json(RESULTS, found)


if __name__ == "__main__":
    run(main, "folds")
