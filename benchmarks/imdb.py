"""Train on IMDB's 25,000 reviews on this machine, and score its test reviews and real reviews of other kinds.

Reads   benchmarks/imdb.yaml, the pipeline as committed, and of data/real/reviews/ (text, label) imdb-train, imdb-test
        and those of OTHERS
Writes  benchmarks/imdb.json    per recipe: minutes and peak memory of the training, accuracy on the validation reviews,
                                which decide between recipes, on the test reviews and on the others; beside it that of
                                the strongest cheap rival, fitted to the same reviews

    python -m benchmarks.imdb
    python -m benchmarks.imdb "first look"     this recipe only

Recipes that are in imdb.json
already are not run again; delete it to start anew. The minutes depend on the machine, on which nothing else should run.
"""

import json
from argparse import ArgumentParser
from pathlib import Path
from statistics import mean
from typing import Any

from ruamel.yaml import YAML
from tqdm import tqdm

from benchmarks.models import train
from benchmarks.real_data import REVIEWS, reviews
from benchmarks.trials import Clone, choose, temporary_clone
from sentiment.core.command import run
from sentiment.core.files import sha256, write_json
from sentiment.core.schemas import read_yaml

RECIPES = Path("benchmarks/imdb.yaml")
RESULTS = Path("benchmarks/imdb.json")
OTHERS = ("uci-yelp", "uci-amazon", "sst2-dev", "amazon-multi-en-validation")
KEPT = ("accuracy", "accuracy_low", "accuracy_high", "n")


def entry(train: str, test: str | None = None) -> dict[str, Any]:
    """Return a catalog's entry for a dataset of real reviews; raise UserError where a file of it is missing."""
    files = {split: reviews(name) for split, name in {"train": train, "test": test}.items() if name}
    return {
        "description": "Real reviews.",
        "source": {"folder": str(REVIEWS.resolve())},
        "licence": "research use",
        "files": {file.name: sha256(file) for file in files.values()},
        "text": "text",
        "label": "label",
        "splits": {split: {"file": file.name} for split, file in files.items()},
    }


def know(clone: Clone) -> None:
    """Put the real reviews into the clone's catalog."""
    yaml = YAML()
    catalog = yaml.load(clone.folder / "catalog.yaml")
    catalog["datasets"] |= {"imdb": entry("imdb-train", "imdb-test")} | {name: entry(name) for name in OTHERS}
    yaml.dump(catalog, clone.folder / "catalog.yaml")


def evaluate(clone: Clone) -> dict[str, Any]:
    """Evaluate the clone's model and its strongest cheap rival; return their figures on the test reviews and others.

    The model's are `tested`, those of the rival `baseline`.
    """
    clone.reproduce("evaluate", "baseline", "cross_dataset_evaluate", "cross_dataset_baseline", "compare_baseline")
    figures: dict[str, Any] = {}
    for kind, test, folder in (("tested", "evaluate", "cross"), ("baseline", "baseline", "cross_baseline")):
        files = {"imdb-test": f"metrics/{test}.json"} | {name: f"metrics/{folder}/{name}.json" for name in OTHERS}
        found = {name: {key: clone.read(file)[key] for key in KEPT} for name, file in files.items()}
        figures[kind] = found | {"others": mean(found[name]["accuracy"] for name in OTHERS)}
    figures["baseline"]["rival"] = clone.read("metrics/baseline.json")["rival"]
    figures["lead"] = clone.read("metrics/compare_baseline.json")["test"]
    return figures


def main() -> None:
    parser = ArgumentParser("imdb")
    parser.add_argument("names", nargs="*", help=f"recipes of {RECIPES}; all of them if none")
    names = parser.parse_args().names
    plan = read_yaml(RECIPES)
    recipes = choose(plan["recipes"], names, RECIPES)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"recipes": {}}
    due = {name: change for name, change in recipes.items() if name not in results["recipes"]}
    with temporary_clone() as clone:
        know(clone)
        for name, change in tqdm(due.items(), desc="imdb"):
            clone.set(plan["base"] | change | {"cross_datasets": list(OTHERS)})
            figures = train(clone)
            figures["validation"] = clone.read("metrics/train.json")["validation"]
            figures |= evaluate(clone)
            results["recipes"][name] = {"change": change} | figures
            write_json(RESULTS, results)
            print(
                f"{name}: accuracy {figures['tested']['imdb-test']['accuracy']:.4f}, {figures['minutes']:.1f} minutes"
            )


if __name__ == "__main__":
    run(main, "imdb")
