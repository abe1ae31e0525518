"""Figures of docs/evaluation.md that compare: with TF-IDF on every dataset, domains with each other, models."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from docs.figures.tables import if_measured, read, table
from sentiment.params import load_params

TRANSFER = "benchmarks/transfer.json"
MODELS = "benchmarks/models.json"
TRICKY = "tricky"
"""The challenge set, which was written to mislead: never averaged with the others."""


def scored() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return the metrics of the model and of TF-IDF on the test reviews and each cross dataset, the tricky set last."""
    params = load_params()
    found = {f"{params.dataset} (test)": (read("metrics/evaluate.json"), read("metrics/baseline.json"))}
    for name in sorted(params.cross_datasets, key=lambda name: name == TRICKY):
        found[name] = (read(f"metrics/cross/{name}.json"), read(f"metrics/cross_baseline/{name}.json"))
    return found


def with_interval(figures: dict[str, float]) -> str:
    return f"{figures['accuracy']:.3f} ({figures['accuracy_low']:.3f} to {figures['accuracy_high']:.3f})"


def generalization() -> str:
    """Return both classifiers' accuracies on every dataset, and the reviews left out because they leak."""
    rows = [
        [
            name,
            f"{model['n']:,}",
            str(sum(value for key, value in model.items() if key.startswith("leaked_"))),
            with_interval(model),
            with_interval(baseline),
        ]
        for name, (model, baseline) in scored().items()
    ]
    return table(["reviews", "scored", "leaked, left out", "fine-tuned (95 %)", "TF-IDF (95 %)"], *rows)


def transfer() -> str:
    """Return the model's accuracy, and that of TF-IDF, by what was learnt from and what was tested on."""
    learnt = read(TRANSFER)["train_on"]
    domains = list(next(iter(learnt.values()))["tested"])
    rows = [
        [name]
        + [
            f"{tested[domain]['model']['accuracy']:.3f} / {tested[domain]['baseline']['accuracy']:.3f}"
            for domain in domains
        ]
        for name, row in learnt.items()
        if (tested := row["tested"])
    ]
    return table(["learnt from \\ tested on", *domains], *rows)


def models_compared() -> str:
    """Return accuracy and cost of every variant, the most accurate on other domains first."""
    variants = read(MODELS)["variants"]
    rows = [
        [
            name,
            with_interval(found["test"]),
            with_interval(found["other_domains"]),
            f"{found['minutes']:.1f}",
            f"{found['memory'] / 2**20:,.0f}",
            f"{found['parameters'] / 1e6:.1f}",
            f"{found['parameters_trained'] / 1e6:.2f}",
            "{median:.0f} ({low:.0f} to {high:.0f})".format(**found["milliseconds"]),
            f"{found['reviews_per_second']['median']:,.0f}",
        ]
        for name, found in sorted(variants.items(), key=lambda item: -item[1]["other_domains"]["accuracy"])
    ]
    header = ["variant", "films (95 %)", "other domains (95 %)", "minutes", "peak memory, MiB", "parameters, M"]
    return table([*header, "of them trained, M", "ms per short review", "reviews/s"], *rows)


def illustrated(figure: Callable[[], str], file: str, title: str) -> str:
    """Return the table of a benchmark and its chart, which docs.drawings draws."""
    return f"{figure()}\n\n![{title}](images/{Path(file).stem}.svg)"


HEAT_MAP = partial(illustrated, transfer, TRANSFER, "Accuracy by domain, as a heat map")
PARETO = partial(illustrated, models_compared, MODELS, "Accuracy against cost")
FIGURES = {
    "generalization": generalization,
    "transfer": partial(if_measured, HEAT_MAP, TRANSFER, "make transfer"),
    "models-compared": partial(if_measured, PARETO, MODELS, "make models"),
}
