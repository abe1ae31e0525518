"""Fill the marked blocks of the documents with figures from the files that commands of this repository write.

Reads   metrics/, benchmarks/*.json, docs/compute.json, dvc.yaml
Writes  what stands between <!-- NAME --> and <!-- end of NAME --> in README.md and docs/*.md,
        and single numbers between <!-- FILE.json:KEY:KEY --> and <!-- -->

    python -m docs.figures
"""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from sentiment.files import replacing
from sentiment.params import load_params
from sentiment.tokenizer_comparison import TELLING

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


PRETRAINED = "benchmarks/pretrained_tokenizers.json"


def learnt() -> dict[str, Any]:
    """Return what `compare_tokenizers` found, in the order of its plot: the model's own tokenizer first."""
    found = read("metrics/tokenizers.json")["tokenizers"]
    return {point["tokenizer"]: found[point["tokenizer"]] for point in read("plots/tokenizers.json")}


def cutting(tokenizers: dict[str, Any]) -> str:
    """Return how many tokens each tokenizer makes of the validation reviews."""
    rows = [
        [name, f"{found['vocabulary']:,}", f"{found['fertility']:.2f}", f"{found['whole_words']:.0%}"]
        + [f"{found[key]:.0f}" for key in ("tokens_p50", "tokens_p95")]
        + [f"{found[key]:.1%}" for key in ("truncated_share", "unknown_share")]
        for name, found in tokenizers.items()
    ]
    header = [
        "tokenizer",
        "entries",
        "tokens per word",
        "words kept whole",
        "tokens per review, median",
        "95th percentile",
    ]
    return table([*header, "reviews truncated", "tokens unknown"], *rows)


def tokenizer_accuracy() -> str:
    """Return the accuracy of the small classifier on each tokenizer's ids."""
    rows = [
        [
            name,
            f"{found['accuracy']:.3f}",
            f"{found['accuracy_sd']:.3f}",
            f"{found['accuracy_low']:.3f} to {found['accuracy_high']:.3f}",
            f"{found['difference']:+.3f}",
            f"{found['difference_low']:+.3f} to {found['difference_high']:+.3f}",
        ]
        for name, found in learnt().items()
    ]
    header = ["tokenizer", "accuracy", "sd over seeds", "95 % interval", "less the first's", "95 % interval, paired"]
    return table(header, *rows)


def cuts(tokenizers: dict[str, Any], names: Sequence[str]) -> str:
    """Return the pieces of every telling word, a column for each of the named tokenizers."""
    columns = [tokenizers[name]["cuts"] for name in names]
    rows = [
        [kind, word, *(f"`{' '.join(column[word])}`" for column in columns)]
        for kind, words in TELLING.items()
        for word in words
    ]
    return table(["", "word", *names], *rows)


def learnt_cuts() -> str:
    return cuts(learnt(), ["WordPiece", "BPE", "byte-level BPE", "Unigram", "words"])


def pretrained_cuts() -> str:
    families = ["google-bert/bert-base-uncased", "FacebookAI/roberta-base", "xlnet/xlnet-base-cased"]
    return cuts(read(PRETRAINED), [*families, "albert/albert-base-v2", "microsoft/deberta-v3-small"])


def value(file: str, keys: str) -> str:
    """Return one number of a JSON file, its keys divided by colons: shares with three digits, others whole."""
    number = read(file)
    for key in keys.split(":"):
        number = number[key]
    return f"{number:.3f}" if isinstance(number, float) and number <= 1 else f"{number:,.0f}"


def ranged(measured: dict[str, float], digits: int = 0) -> str:
    """Return a median and, in brackets, the range that it is the median of."""
    median, low, high = (f"{measured[key]:,.{digits}f}" for key in ("median", "low", "high"))
    return f"**{median}** ({low} to {high})"


def speed() -> str:
    """Return our speeds, those of what people would use instead, and the ratios."""
    measured = read("benchmarks/results.json")
    training, evaluation, tokenization = (measured[name] for name in ("training", "evaluation", "tokenization"))
    tokens = training["tokens_per_second"]
    rows = [
        ["training, tokens/s", tokens["ours"], name, tokens[name], training["ratio"][name]]
        for name in ("stock", "stock, padded to the maximum")
    ]
    rows.append(
        ["training in fp32, tokens/s", tokens["without bf16"], "stock", tokens["stock"], training["fp32_ratio"]]
    )
    for work, result, rival in (("evaluation", evaluation, "stock"), ("tokenization", tokenization, "datasets.map")):
        speeds = result["reviews_per_second"]
        rows.append([f"{work}, reviews/s", speeds["ours"], rival, speeds[rival], result["ratio"]])
    return table(
        ["", "ours", "instead of", "theirs", "ratio"],
        *[
            [work, f"{ours['median']:,.0f}", rival, f"{theirs['median']:,.0f}", ranged(ratio, 2)]
            for work, ours, rival, theirs, ratio in rows
        ],
    )


def ablation() -> str:
    """Return what each choice of ours speeds training up by, the others kept, largest first."""
    ratios = read("benchmarks/results.json")["training"]["ratio"]
    without = sorted(
        ((name, ratio) for name, ratio in ratios.items() if name.startswith("without ")),
        key=lambda item: -item[1]["median"],
    )
    return table(
        ["choice", "times the speed without it"],
        *[[name.removeprefix("without "), ranged(ratio, 2)] for name, ratio in without],
    )


def peak_shares() -> str:
    """Return our shares of the machine's matmul peak."""
    measured = read("benchmarks/results.json")
    return table(
        ["", "peak, GFLOP/s", "share of it"],
        *[
            [work, f"{measured[work]['peak']['median'] / 1e9:,.0f}", ranged(measured[work]["share_of_peak"], 2)]
            for work in ("training", "evaluation")
        ],
    )


def time_spent() -> str:
    """Return what the time of training and evaluation is spent on, the largest share of training first."""
    spent = read("benchmarks/results.json")["profile"]
    kinds = sorted(spent["training"], key=lambda kind: (kind == "everything else", -spent["training"][kind]))
    return table(
        ["", "training", "evaluation"],
        *[[kind, *(f"{spent[work][kind]:.1%}" for work in ("training", "evaluation"))] for kind in kinds],
    )


def stage_memory() -> str:
    """Return each stage's peak memory."""
    used = read("benchmarks/results.json")["memory"]
    return table(["stage", "peak memory, MiB"], *[[f"`{stage}`", f"{used[stage] / 2**20:,.0f}"] for stage in used])


def growth() -> str:
    """Return speed and memory of training by the number of its reviews."""
    return table(
        ["reviews", "tokens", "tokens/s", "peak memory, MiB"],
        *[
            [
                f"{run['rows']:,}",
                f"{run['tokens']:,}",
                f"{run['tokens_per_second']:,.0f}",
                f"{run['memory'] / 2**20:,.0f}",
            ]
            for run in read("benchmarks/results.json")["growth"]
        ],
    )


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
    "speed": speed,
    "ablation": ablation,
    "peak-shares": peak_shares,
    "time-spent": time_spent,
    "stage-memory": stage_memory,
    "growth": growth,
    "learnt-tokenizers": lambda: cutting(learnt()),
    "tokenizer-accuracy": tokenizer_accuracy,
    "learnt-cuts": learnt_cuts,
    "pretrained-tokenizers": lambda: cutting(read(PRETRAINED)),
    "pretrained-cuts": pretrained_cuts,
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
