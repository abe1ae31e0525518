"""Compare models and ways to fine-tune them, on the same reviews and for as many epochs: accuracy against cost.

Reads   benchmarks/models.yaml, the pipeline as committed; the models of catalog.yaml that are on this machine already
Writes  benchmarks/models.json    per variant: accuracy on the test reviews and on those of other domains with 95 %
                                  intervals, minutes and peak memory of the training, parameters, and the trained
                                  model's speed

    python -m benchmarks.models                       (make models)
    python -m benchmarks.models "from scratch" "first 4 layers"    these only

Variants that are in models.json already are not run again; delete it to start anew. The speeds depend on the machine,
on which nothing else should run.
"""

import json
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.trials import Clone, choose, temporary_clone
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.schemas import read_yaml
from sentiment.sources.catalog import load_catalog

VARIANTS = Path("benchmarks/models.yaml")
RESULTS = Path("benchmarks/models.json")
OTHER_DOMAINS = ("books", "restaurants", "products", "travel")
BERT_SIZE = 50_000_000
"""From so many parameters on, 1e-4 is too high a rate."""
SHORT_WORDS = 20
SHORT_REVIEWS = 40
REPETITIONS = 3


def at_hand() -> dict[str, dict[str, Any]]:
    """Return a variant for each of the catalog's other models whose files are on this machine."""
    found = {}
    for name, entry in load_catalog().models.items():
        try:
            entry.source.locate(entry.files, "model")
        except UserError:
            continue
        found[name] = {"model": name} | ({"train.lr": 3e-5} if entry.parameters >= BERT_SIZE else {})
    found.pop(load_params().model, None)
    return found


def train(clone: Clone) -> dict[str, Any]:
    """Train as the clone's parameters say, whatever the cache has; return minutes, precision, memory and parameters."""
    from benchmarks.timing import arithmetic, peak_memory

    clone.reproduce("tokenize")
    # Without the user's checkpoints: a training that is continued has not taken as long as it says.
    memory, _ = peak_memory("dvc", "repro", "--quiet", "--force", "--single-item", "train", folder=clone.folder)
    timings = (clone.folder / "logs/timings.jsonl").read_text(encoding="utf-8").splitlines()
    metrics = clone.read("metrics/train.json")
    return {
        "minutes": json.loads(timings[-1])["seconds"] / 60,
        "arithmetic": arithmetic(),
        "memory": memory,
        "parameters": metrics["parameters"],
        "parameters_trained": metrics["parameters_trained"],
        "bytes": sum(file.stat().st_size for file in (clone.folder / "models/sentiment").glob("*.safetensors")),
    }


def accuracies(clone: Clone) -> dict[str, Any]:
    """Evaluate the clone's model on the test reviews, and on those of the other domains taken together."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sentiment.metrics import evaluate

    clone.reproduce("evaluate", "cross_dataset_evaluate")
    predictions = clone.folder / "data/predictions"
    others = pa.concat_tables(pq.read_table(predictions / f"cross/{name}.parquet") for name in OTHER_DOMAINS)
    scored = {"test": pq.read_table(predictions / "test.parquet"), "other_domains": others}
    kept = ("accuracy", "accuracy_low", "accuracy_high", "n")
    return {
        name: {key: figures[key] for key in kept}
        for name, table in scored.items()
        if (figures := evaluate(table["label"].to_numpy(), table["score"].to_numpy()))
    }


def speed(clone: Clone) -> dict[str, Any]:
    """Measure the trained model: milliseconds for a short review alone, reviews per second for all of them at once."""
    import pyarrow.parquet as pq
    import torch

    from benchmarks.timing import seconds, spread
    from sentiment.evaluation.scorer import Scorer

    params = load_params(clone.folder / "params.yaml")
    torch.set_num_threads(params.threads)
    scorer = Scorer(clone.folder / "models/sentiment", params)
    texts = pq.read_table(clone.folder / "data/subsampled/test.parquet")["text"].to_pylist()
    short = [text for text in texts if len(text.split()) <= SHORT_WORDS][:SHORT_REVIEWS]
    scorer.score_texts(short[:1])
    alone = [1000 * seconds(partial(scorer.score_texts, [text])) for text in short]
    together = [len(texts) / seconds(partial(scorer.score_texts, texts)) for _ in range(REPETITIONS)]
    return {"milliseconds": spread(alone), "reviews_per_second": spread(together)}


def main() -> None:
    parser = ArgumentParser("models")
    parser.add_argument(
        "names", nargs="*", help=f"variants of {VARIANTS}, or models of catalog.yaml; all of them if none"
    )
    names = parser.parse_args().names
    plan = read_yaml(VARIANTS)
    variants = choose(plan["variants"] | at_hand(), names, VARIANTS)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"variants": {}}
    threads = load_params().threads
    if results.setdefault("threads", threads) != threads:
        raise UserError(
            f"{RESULTS} was measured with {results['threads']} threads, but params.yaml says {threads}: "
            "delete it to start anew"
        )
    due = {name: change for name, change in variants.items() if name not in results["variants"]}
    with temporary_clone() as clone:
        for name, change in tqdm(due.items(), desc="models"):
            clone.set(plan["base"] | change | {"cross_datasets": list(OTHER_DOMAINS)})
            figures = train(clone) | accuracies(clone) | speed(clone)
            results["variants"][name] = {"change": change} | figures
            write_json(RESULTS, results)
            print(f"{name}: accuracy {figures['test']['accuracy']:.3f}, {figures['minutes']:.1f} minutes")


if __name__ == "__main__":
    run(main, "models")
