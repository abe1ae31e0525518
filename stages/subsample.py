"""Clean the reviews, drop what can't be used, and cut disjoint, stratified train, validation and test splits.

Reads   data/raw/train.parquet and, where there is one, data/raw/test.parquet
Writes  data/subsampled/{train,validation,test}.parquet    id, text, label
        metrics/subsample.json                             rows read, dropped by reason and kept

The test split depends on neither the seed nor the order of rows: experiments with other seeds are scored on the same.

    python -m stages.subsample
"""

from pathlib import Path

import pandas as pd

from sentiment.command import run
from sentiment.files import replacing, write_json
from sentiment.params import Subsample, load_params
from sentiment.reviews import (
    check,
    cut,
    draw,
    prepare,
    read_parquet,
    require_both_labels,
    to_table,
    without,
    write_parquet,
)

RAW = Path("data/raw")
SUBSAMPLED = Path("data/subsampled")
METRICS = Path("metrics/subsample.json")


def read(split: str, params: Subsample) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return a raw split's usable reviews and how many rows were read and dropped, by reason."""
    path = RAW / f"{split}.parquet"
    table = check(read_parquet(path, ["text", "label"]), str(path))
    reviews, dropped = prepare(table, params.cleaning)
    require_both_labels(reviews, str(path), "give a dataset with both")
    return reviews, {"read": table.num_rows, **dropped}


def split(pool: pd.DataFrame, test: pd.DataFrame | None, params: Subsample, seed: int) -> dict[str, pd.DataFrame]:
    """Cut the reviews into disjoint train, validation and test splits; raise UserError if one lacks a label."""
    if test is None:
        test = draw(pool, round(len(pool) * params.test_share), "test")
    pool = without(pool, test)
    test = cut(test, params.test_size, "test", "subsample.test_size")
    if params.balance:
        smaller = int(pool.label.value_counts().min())
        pool = pd.concat([draw(pool[pool.label == label], smaller, f"balance {seed}") for label in (0, 1)])
    pool = cut(pool, params.train_size, f"train {seed}", "subsample.train_size")
    validation = draw(pool, round(len(pool) * params.validation_share), f"validation {seed}")
    splits = {"train": without(pool, validation), "validation": validation, "test": test}
    for name, reviews in splits.items():
        require_both_labels(reviews, f"the {name} split", "raise subsample's sizes and shares, or give more reviews")
    return splits


def main() -> None:
    params = load_params()
    pool, train_counts = read("train", params.subsample)
    counts = {"train": train_counts}
    test = None
    if (RAW / "test.parquet").exists():
        test, counts["test"] = read("test", params.subsample)
        train_counts["in_test"] = len(pool) - len(without(pool, test))

    splits = split(pool, test, params.subsample, params.seed)

    with replacing(SUBSAMPLED) as folder:
        for name, reviews in splits.items():
            write_parquet(folder / f"{name}.parquet", to_table(reviews))
    # What was usable but not drawn: cut by the sizes or by balance.
    from_train = [reviews for name, reviews in splits.items() if name != "test" or test is None]
    train_counts["not_drawn"] = len(pool) - train_counts.get("in_test", 0) - sum(map(len, from_train))
    if test is not None:
        counts["test"]["not_drawn"] = len(test) - len(splits["test"])
    kept = {name: {"kept": len(reviews), "positives": int(reviews.label.sum())} for name, reviews in splits.items()}
    write_json(METRICS, {"source": counts, "splits": kept})
    for name, reviews in splits.items():
        print(f"{name}: {len(reviews):,} reviews, {reviews.label.mean():.0%} positive")


if __name__ == "__main__":
    run(main, "subsample")
