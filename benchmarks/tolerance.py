"""Measure how far the default's figures move where its bits may: on one thread, and in another precision.

Reads   the pipeline as committed, its metrics, and data/predictions/, as `make run` leaves them
Writes  benchmarks/tolerance.json    per change: the accuracy on each dataset, how many verdicts flipped, the largest
                                     difference of an accuracy; over all changes, the tolerance

    python -m benchmarks.tolerance
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tqdm import tqdm

from benchmarks.trials import Clone, temporary_clone
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import load_params

RESULTS = Path("benchmarks/tolerance.json")
CHANGES: dict[str, dict[str, Any]] = {
    "one thread": {"threads": 1},
    "fp32": {"precision": "fp32"},
}


def compare(clone: Clone, datasets: dict[str, str]) -> dict[str, Any]:
    """Compare the clone's verdicts with the user's: `datasets` are files of data/predictions by the dataset's name."""
    found: dict[str, Any] = {}
    for name, file in datasets.items():
        ours, theirs = (pq.read_table(folder / "data/predictions" / file) for folder in (Path(), clone.folder))
        if not ours["id"].equals(theirs["id"]):
            raise UserError(f"data/predictions/{file} is of other reviews than those of the commit: dvc repro first")
        label = ours["label"].to_numpy() == 1
        before, after = (table["score"].to_numpy() >= 0.5 for table in (ours, theirs))
        found[name] = {
            "n": len(label),
            "default": float((before == label).mean()),
            "accuracy": float((after == label).mean()),
            "flipped": int((before != after).sum()),
        }
    return found


def main() -> None:
    params = load_params()
    datasets = {"test": "test.parquet"} | {name: f"cross/{name}.parquet" for name in params.cross_datasets}
    results = {}
    with temporary_clone() as clone:
        for name, change in tqdm(CHANGES.items(), desc="tolerance"):
            clone.set(change)
            clone.reproduce("evaluate", "cross_dataset_evaluate")
            figures = compare(clone, datasets)
            largest = max(abs(found["accuracy"] - found["default"]) for found in figures.values())
            results[name] = {"change": change, "datasets": figures, "largest_difference": largest}
    tolerance = max(found["largest_difference"] for found in results.values())
    write_json(RESULTS, {"changes": results, "tolerance": tolerance})
    print(RESULTS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main, "tolerance")
