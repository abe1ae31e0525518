"""Clean the reviews, drop what can't be used, and cut disjoint, stratified train, validation and test splits.

Reads   data/raw/train.parquet and, where there is one, data/raw/test.parquet
Writes  data/subsampled/{train,validation,test}.parquet    id, text, label; sorted by id
        metrics/subsample.json                             rows read, dropped by reason and kept

The test split depends on neither the seed nor the order of rows: experiments with other seeds are scored on the same.
The splits are drawn first; then short reviews of like words come on one side of the cut between train and validation,
and what leaks between the splits is dropped, so that only what was drawn needs comparing.

    python -m stages.subsample
"""

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.params import Params, Subsample, load_params
from sentiment.core.parquet import write_batches
from sentiment.reviews.companions import companions, exchange
from sentiment.reviews.disk_sort import read_sorted, rewrite_buckets, write_buckets
from sentiment.reviews.leaks import NONE, count_leaks, leaks_between_splits
from sentiment.reviews.selection import cut, draw, require_both_labels, select, survey, without
from sentiment.reviews.table import read_reviews

RAW = Path("data/raw")
SUBSAMPLED = Path("data/subsampled")
METRICS = Path("metrics/subsample.json")
SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("label", pa.int8())])
REMEDY = "raise subsample's sizes and shares, or give more reviews"


def split(pool: pd.DataFrame, test: pd.DataFrame | None, params: Subsample, seed: int) -> dict[str, pd.DataFrame]:
    """Cut the reviews into disjoint train, validation and test splits; raise UserError if one lacks a label."""
    if test is None:
        test = draw(pool, round(len(pool) * params.test_share), "test")
    pool = without(pool, test)
    test = cut(test, params.test_size, "test", "subsample.test_size")
    if params.balance:
        smaller = int(pool.label.value_counts().min())
        balanced = [draw(pool[pool.label == label], smaller, f"balance {seed}") for label in (0, 1)]
        pool = pd.concat(balanced).sort_values("id", ignore_index=True)
    pool = cut(pool, params.train_size, f"train {seed}", "subsample.train_size")
    validation = draw(pool, round(len(pool) * params.validation_share), f"validation {seed}")
    splits = {"train": without(pool, validation), "validation": validation, "test": test}
    for name, reviews in splits.items():
        require_both_labels(reviews, f"the {name} split", REMEDY)
    return splits


def keep(tables: Iterator[pa.Table], stays: NDArray[np.bool_]) -> Iterator[pa.Table]:
    """Yield the rows that stay, of tables one after another."""
    start = 0
    for table in tables:
        yield table.filter(pa.array(stays[start : start + table.num_rows]))
        start += table.num_rows


def draw_splits(params: Params, aside: Path) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, int]]]:
    """Draw the splits and write their reviews to `aside`; return their ids and labels, and each source's counts."""
    options = params.subsample
    surveys = {}
    for source in ("train", "test"):
        path = RAW / f"{source}.parquet"
        if source == "train" or path.exists():
            surveys[source] = survey(read_reviews(path), options.cleaning)
            require_both_labels(surveys[source].usable, str(path), "give a dataset with both")
    pool = surveys["train"].usable
    test = surveys["test"].usable if "test" in surveys else None
    splits = split(pool, test, options, params.seed)

    counts = {source: dict(found.counts) for source, found in surveys.items()}
    if test is not None:
        counts["train"]["in_test"] = len(pool) - len(without(pool, test))
    for source, found in surveys.items():
        own = {name: splits[name] for name in splits if test is None or (name == "test") == (source == "test")}
        chosen = pd.concat(own.values()).sort_values("id")
        rows = select(read_reviews(RAW / f"{source}.parquet"), found.ids, chosen, options.cleaning)
        write_buckets(rows, own, aside)
        # What was usable but not drawn: cut by the sizes or by balance.
        counts[source]["not_drawn"] = len(found.usable) - len(chosen) - counts[source].get("in_test", 0)
    return splits, counts


def keep_companions_together(splits: dict[str, pd.DataFrame], aside: Path, seed: int) -> dict[str, pd.DataFrame]:
    """Let companions change between train and validation so that few are parted; return the splits that result.

    A training review that is alike only to one that changes sides stays where it is, which is rare.
    """
    texts = {
        name: (table["text"].to_pylist() for table in read_sorted(aside, name, "look for companions"))
        for name in ("validation", "train")
    }
    pairs = companions(list(chain.from_iterable(texts["validation"])), texts["train"])
    ids = {name: splits[name].id.to_numpy() for name in texts}
    leave, join = exchange(pairs, ids["validation"], ids["train"], f"companions {seed}")
    if not len(leave) and not len(join):
        return splits
    both = pd.concat([splits["train"], splits["validation"]]).sort_values("id", ignore_index=True)
    validates = both.id.isin(np.setdiff1d(ids["validation"], leave)) | both.id.isin(join)
    changed = {"train": both[~validates], "validation": both[validates]}
    changed = {name: reviews.reset_index(drop=True) for name, reviews in changed.items()}
    rewrite_buckets(changed, aside)
    return splits | changed


def main() -> None:
    params = load_params()
    kept = {}
    with replacing(SUBSAMPLED) as folder:
        aside = folder / "aside"
        splits, counts = draw_splits(params, aside)
        splits = keep_companions_together(splits, aside, params.seed)
        leaks = leaks_between_splits(
            lambda name: (table["text"].to_pylist() for table in read_sorted(aside, name, "look for leaks")),
            params.subsample.near_duplicate,
        )
        for name, reviews in splits.items():
            stays = leaks[name] == NONE
            require_both_labels(reviews[stays], f"the {name} split without what leaks", REMEDY)
            write_batches(folder / f"{name}.parquet", keep(read_sorted(aside, name, "write"), stays), SCHEMA)
            kept[name] = {"kept": int(stays.sum()), "positives": int(reviews.label[stays].sum())}
            kept[name] |= count_leaks(leaks[name])
        shutil.rmtree(aside)
    write_json(METRICS, {"source": counts, "splits": kept})
    for name, figures in kept.items():
        share, leaked = figures["positives"] / figures["kept"], len(splits[name]) - figures["kept"]
        print(f"{name}: {figures['kept']:,} reviews, {share:.0%} positive; {leaked:,} dropped as they leaked")


if __name__ == "__main__":
    run(main, "subsample")
