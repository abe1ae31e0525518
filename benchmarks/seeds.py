"""Train with several seeds, to see how much of a figure is the luck of one training.

Queues an experiment for each seed that has none yet on this commit, runs the queue, and reads the metrics of all. The
seed draws the training and validation reviews, the head and the order of the batches; the test reviews stay the same.

Reads   the pipeline as committed
Writes  benchmarks/seeds.json    the headline metrics of each dataset: per seed, their mean and standard deviation

    python -m benchmarks.seeds 5            (make seeds N=5)
"""

import json
import os
import subprocess
from argparse import ArgumentParser
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import load_params

RESULTS = Path("benchmarks/seeds.json")
STAGES = ("evaluate", "cross_dataset_evaluate")
"""What the headline metrics come from; what else the pipeline makes would not be read."""
HEADLINE = ("accuracy", "f1", "roc_auc", "log_loss", "brier", "ece")


def summary(seeds: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Return mean and standard deviation over the seeds (n - 1 in its denominator) of each metric of each dataset."""
    first = next(iter(seeds.values()))
    return {
        dataset: {
            metric: {"mean": mean(values), "sd": stdev(values)}
            for metric in metrics
            if (values := [figures[dataset][metric] for figures in seeds.values()])
        }
        for dataset, metrics in first.items()
    }


def missing(seeds: range) -> list[int]:
    """Return the seeds that have no experiment yet on this commit."""
    command = ["dvc", "exp", "list", "--name-only"]
    known = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [seed for seed in seeds if f"seed-{seed}" not in known]


def headline(experiment: str, datasets: list[str]) -> dict[str, dict[str, float]]:
    """Read an experiment's headline metrics on the test reviews and on the cross datasets."""
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(".", rev=experiment)
    paths = {"test": "metrics/evaluate.json"} | {name: f"metrics/cross/{name}.json" for name in datasets}
    read = {name: json.loads(files.read_text(path, encoding="utf-8")) for name, path in paths.items()}
    return {name: {metric: figures[metric] for metric in HEADLINE} for name, figures in read.items()}


def main() -> None:
    parser = ArgumentParser("seeds")
    parser.add_argument("number", type=int, help="how many seeds: 2 or more")
    seeds = range(1, parser.parse_args().number + 1)
    if len(seeds) < 2:
        raise UserError(f"{len(seeds)} seeds have no standard deviation: give 2 or more")
    queued = missing(seeds)
    for seed in queued:
        queue = ["dvc", "exp", "run", "--quiet", "--queue", "--name", f"seed-{seed}", "--set-param", f"seed={seed}"]
        subprocess.run([*queue, *STAGES], check=True)
    if queued:
        environment = os.environ | {"SENTIMENT_CHECKPOINT_DIR": str(Path("checkpoints").absolute())}
        subprocess.run(["dvc", "exp", "run", "--run-all"], env=environment, check=True)
    if failed := missing(seeds):
        raise UserError(
            f"no experiment came of seed {', '.join(map(str, failed))}: see above why; the same command tries again"
        )

    figures = {str(seed): headline(f"seed-{seed}", load_params().cross_datasets) for seed in seeds}
    write_json(RESULTS, {"seeds": figures, "summary": summary(figures)})
    accuracy = summary(figures)["test"]["accuracy"]
    print(f"test accuracy {accuracy['mean']:.3f} ± {accuracy['sd']:.3f} over {len(seeds)} seeds")


if __name__ == "__main__":
    run(main, "seeds")
