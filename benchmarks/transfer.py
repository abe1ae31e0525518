"""Train on each domain and test on all, to see how far what one kind of reviews teaches carries to another.

Reads   benchmarks/transfer.yaml, the pipeline as committed
Writes  benchmarks/transfer.json    per domain that is learnt from and domain that is tested on: the accuracy of the
                                    model and of its strongest cheap rival, with 95 % intervals, and what leaked

    python -m benchmarks.transfer                     (make transfer)
    python -m benchmarks.transfer "books, 160"        these rows only

Rows that are in transfer.json already are not run again; delete it to start anew. The domain that is trained on is
tested on its test split, the others on all of their reviews that do not leak.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.trials import Clone, choose, temporary_clone
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.schemas import read_yaml

ROWS = Path("benchmarks/transfer.yaml")
RESULTS = Path("benchmarks/transfer.json")
KEPT = ("accuracy", "accuracy_low", "accuracy_high", "n")


def evaluate(clone: Clone, dataset: str, others: list[str]) -> dict[str, Any]:
    """Train and evaluate as the clone's parameters say; return the figures of each dataset."""
    clone.reproduce("evaluate", "baseline", "cross_dataset_evaluate", "cross_dataset_baseline")
    files = {dataset: {"model": "evaluate", "baseline": "baseline"}}
    files |= {name: {"model": f"cross/{name}", "baseline": f"cross_baseline/{name}"} for name in others}
    figures: dict[str, Any] = {}
    for name, kinds in files.items():
        read = {kind: clone.read(f"metrics/{file}.json") for kind, file in kinds.items()}
        figures[name] = {kind: {key: metrics[key] for key in KEPT} for kind, metrics in read.items()}
        figures[name]["leaked"] = sum(value for key, value in read["model"].items() if key.startswith("leaked_"))
    return figures


def main() -> None:
    parser = ArgumentParser("transfer")
    parser.add_argument("names", nargs="*", help=f"rows of {ROWS}; all of them if none")
    names = parser.parse_args().names
    plan = read_yaml(ROWS)
    rows = choose(plan["train_on"], names, ROWS)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"train_on": {}}
    due = {name: change for name, change in rows.items() if name not in results["train_on"]}
    with temporary_clone() as clone:
        for name, change in tqdm(due.items(), desc="transfer"):
            others = [dataset for dataset in plan["test_on"] if dataset != change["dataset"]]
            clone.set(plan["base"] | change | {"cross_datasets": others})
            tested = evaluate(clone, change["dataset"], others)
            learnt = clone.read("metrics/subsample.json")
            results["train_on"][name] = {"change": change, "tested": tested, "reviews": learnt}
            write_json(RESULTS, results)


if __name__ == "__main__":
    run(main, "transfer")
