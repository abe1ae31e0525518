"""Fill the marked blocks of the documents with figures from the files that commands of this repository write.

Reads   metrics/, benchmarks/*.json, docs/compute.json, dvc.yaml
Writes  what stands between <!-- NAME --> and <!-- end of NAME --> in README.md and docs/*.md,
        and single numbers between <!-- FILE.json:KEY:KEY --> and <!-- -->

    python -m docs.figures
"""

import json
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from sentiment.files import replacing
from sentiment.params import load_params

MANY = 400_000
"""Above as many reviews in 15 minutes, feeding them and starting the steps takes longer than computing them."""

BLOCK = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n).*?(<!-- end of (?P=name) -->)", re.DOTALL)
VALUE = re.compile(r"(<!-- (?P<file>[\w/]+\.json):(?P<keys>[^>]+?) -->)[^<]*(<!-- -->)")


def read(file: str) -> Any:
    return json.loads(Path(file).read_text(encoding="utf-8"))


def row(name: str, figures: dict[str, Any], baseline: dict[str, Any] | None) -> str:
    interval = f"{figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f}"
    rival = f"{baseline['accuracy']:.3f}" if baseline else ""
    return f"| {name} | {figures['n']:,} | **{figures['accuracy']:.3f}** | {interval} | {rival} |"


HEADER = ["| reviews | number | accuracy | 95 % interval | TF-IDF |", "|---|---|---|---|---|"]


def results() -> str:
    """Return the default's accuracy on its test reviews and on each cross dataset, and what other seeds make of it."""
    rows = [row(f"{load_params().dataset} (test)", read("metrics/evaluate.json"), read("metrics/baseline.json"))]
    rows += [row(name, read(f"metrics/cross/{name}.json"), None) for name in load_params().cross_datasets]
    lines = [*HEADER, *rows]
    if Path("benchmarks/seeds.json").exists():
        seeds = read("benchmarks/seeds.json")
        spread = [seeds["summary"][name]["accuracy"] for name in ("test", *load_params().cross_datasets)]
        columns = [f"{len(seeds['seeds'])} other seeds", "---", *(f"{s['mean']:.3f} ± {s['sd']:.3f}" for s in spread)]
        lines = [f"{line} {column} |" for line, column in zip(lines, columns, strict=True)]
    return "\n".join(lines)


def real_reviews() -> str:
    """Return the default's accuracy on real reviews, and their mean."""
    measured = read("benchmarks/real_reviews.json")
    rows = [row(name, figures["model"], figures["baseline"]) for name, figures in measured["files"].items()]
    means = measured["mean_accuracy"]
    return "\n".join([*HEADER, *rows, f"| mean | | **{means['model']:.3f}** | | {means['baseline']:.3f} |"])


def sweep(file: str) -> str:
    """Return the trials of a sweep, best mean log loss first."""
    rows = []
    for trial in read(file)["trials"]:
        log_loss, accuracy = (mean(run[key] for run in trial["seeds"].values()) for key in ("log_loss", "accuracy"))
        change = ", ".join(f"`{key}: {value}`" for key, value in trial["change"].items()) or "none"
        rows.append((log_loss, f"| {change} | {log_loss:.3f} | {accuracy:.3f} | {len(trial['seeds'])} |"))
    return "\n".join(
        ["| change | log loss | accuracy | seeds |", "|---|---|---|---|", *(line for _, line in sorted(rows))]
    )


def calibration() -> str:
    """Return how well calibrated the scores are: without the temperature and with it, and on each cross dataset."""
    dataset, metrics = load_params().dataset, read("metrics/evaluate.json")
    named = {
        f"{dataset} (test), before": metrics["uncalibrated"],
        f"{dataset} (test), temperature {read('metrics/train.json')['temperature']:.2f}": metrics,
        **{name: read(f"metrics/cross/{name}.json") for name in load_params().cross_datasets},
    }
    rows = [
        f"| {name} | {figures['ece']:.3f} | {figures['brier']:.3f} | {figures['log_loss']:.3f} |"
        for name, figures in named.items()
    ]
    return "\n".join(["| reviews | ECE | Brier | log loss |", "|---|---|---|---|", *rows])


def slices() -> str:
    """Return the default's accuracy on the slices of its test reviews, in the order of the plot."""
    rows = [
        f"| {point['slice']} | {point['n']:,} | {point['accuracy']:.3f} | {point['low']:.3f} to {point['high']:.3f} |"
        for point in read("plots/evaluate/slices.json")
    ]
    return "\n".join(["| slice | number | accuracy | 95 % interval |", "|---|---|---|---|", *rows])


def behaviour() -> str:
    """Return the failure rates of the behavioural checks."""
    rows = [
        f"| {' | '.join(rate['check'].split(': ', 1))} | {rate['n']} | {rate['failure_rate']:.0%} | "
        f"{rate['low']:.0%} to {rate['high']:.0%} |"
        for rate in read("plots/behaviour.json")
    ]
    return "\n".join(["| capability | check | cases | failed | 95 % interval |", "|---|---|---|---|---|", *rows])


def dag() -> str:
    """Return the pipeline's graph as DVC draws it."""
    command = ["dvc", "dag", "--md", "--collapse-foreach-matrix"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def predictions() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the models, cheapest first, and the devices, slowest first, of docs/compute.json."""
    computed = read("docs/compute.json")
    models = sorted(computed["models"].items(), key=lambda item: (item[1]["flops_per_token"], item[1]["parameters"]))
    devices = sorted(computed["devices"].items(), key=lambda item: item[1]["peak"] * item[1]["utilization"])
    return dict(models), dict(devices)


def table(*rows: list[str]) -> str:
    """Return a Markdown table whose first row is its header."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def costs() -> str:
    """Return what fine-tuning each model is predicted to cost."""
    models, devices = predictions()
    rows = []
    for name, model in models.items():
        minutes = [model["minutes"][device] for device in devices]
        memory = [f"{model['memory'][what] / 2**30:.1f}" for what in ("embeddings_frozen", "all")]
        rows.append(
            [name, f"{model['parameters'] / 1e6:.1f}", f"{model['multiplied'] / 1e6:.1f}"]
            + [f"{model['flops_per_token'] / 1e6:.0f}"]
            + ["< 1" if number < 1 else f"{number:.0f}" for number in minutes]
            + [" / ".join(memory), f"{model['checkpoint'] / 1e9:.1f}"]
        )
    header = ["model", "parameters, M", "multiplied, M", "MFLOP per token"]
    return table([*header, *devices, "memory, GiB", "checkpoint, GB"], *rows)


def devices() -> str:
    """Return the devices that the predictions are for, and what is assumed of them."""
    rows = [
        [name, device["precision"], f"{device['peak'] / 1e12:.3g}", f"{device['utilization']:.0%}", device["source"]]
        for name, device in predictions()[1].items()
    ]
    return table(["device", "precision", "peak, TFLOP/s", "assumed to reach", "source of the peak"], *rows)


def fifteen_minutes() -> str:
    """Return how many reviews, times epochs, 15 minutes of training are predicted to see."""
    models, devices = predictions()
    names = ["all-MiniLM-L6-v2", "distilbert-base-uncased", "roberta-base", "ModernBERT-base"]
    rows = []
    for device in devices:
        seen = [models[name]["reviews_in_15_minutes"][device] for name in names]
        rows.append([device, *(f"{round(number, -2):,}" if number < MANY else f"> {MANY:,}" for number in seen)])
    return table(["device", *names], *rows)


def value(file: str, keys: str) -> str:
    """Return one number of a JSON file, its keys divided by colons: shares with three digits, others whole."""
    number = read(file)
    for key in keys.split(":"):
        number = number[key]
    return f"{number:.3f}" if isinstance(number, float) and number <= 1 else f"{number:,.0f}"


FIGURES: dict[str, Callable[[], str]] = {
    "results": results,
    "real-reviews": real_reviews,
    "sweep": partial(sweep, "benchmarks/sweep.json"),
    "sweep-without-averaging": partial(sweep, "benchmarks/sweep_without_averaging.json"),
    "calibration": calibration,
    "slices": slices,
    "behaviour": behaviour,
    "dag": dag,
    "costs": costs,
    "devices": devices,
    "fifteen-minutes": fifteen_minutes,
}


def filled(text: str) -> str:
    """Return a document's text with every marked block and number filled anew."""
    text = BLOCK.sub(lambda block: f"{block[1]}{FIGURES[block['name']]()}\n{block[3]}", text)
    return VALUE.sub(lambda mark: f"{mark[1]}{value(mark['file'], mark['keys'])}{mark[4]}", text)


def main() -> None:
    for document in [Path("README.md"), *sorted(Path("docs").glob("*.md"))]:
        text = filled(document.read_text(encoding="utf-8"))
        with replacing(document) as file:
            file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
