"""Tables of docs/evaluation.md."""

from typing import Any

from report.results import read, rival
from report.tables.markdown import accuracy_with_interval, lead, mean_with_sd, table
from sentiment.core.params import load_params

TRANSFER = "benchmarks/transfer.json"
MODELS = "benchmarks/models.json"
UNEQUAL = "benchmarks/unequal_classes.json"
DATASETS = {"airline": "tweets about airlines", "reviews_5": "own reviews"}
"""What the table calls the datasets of `benchmarks.unequal_classes`."""
TRICKY = "tricky"
"""The challenge set, which was written to mislead: never averaged with the others."""
PARTS = {"reviews": ("films_plain", "short", "typed", "negation", "comments", "critics", "contrast", "hasty")}
"""Datasets that are parts of another's test split, by its name; catalog.yaml defines them."""


def titles() -> dict[str, str]:
    """Return what tables call each cross dataset, by its name: parts of the test split first, the tricky set last."""
    params = load_params()
    parts = PARTS.get(params.dataset, ())
    order = sorted(params.cross_datasets, key=lambda name: (name not in parts, name == TRICKY))
    return {name: f"{params.dataset} (test): {name}" if name in parts else name for name in order}


def calibration() -> str:
    """Return how well calibrated the scores are: without the temperature and with it, and on each cross dataset."""
    dataset, metrics = load_params().dataset, read("metrics/evaluate.json")
    named = {
        f"{dataset} (test), before": metrics["uncalibrated"],
        f"{dataset} (test), temperature {read('metrics/train.json')['temperature']:.2f}": metrics,
        **{title: read(f"metrics/cross/{name}.json") for name, title in titles().items()},
    }
    rows = [[name, *(f"{figures[key]:.3f}" for key in ("ece", "brier", "log_loss"))] for name, figures in named.items()]
    return table(["reviews", "ECE", "Brier", "log loss"], *rows)


def slices() -> str:
    """Return the default's accuracy on the slices of its test reviews, in the order of the plot."""
    rows = [
        [point["slice"], f"{point['n']:,}", f"{point['accuracy']:.3f}", f"{point['low']:.3f} to {point['high']:.3f}"]
        for point in read("plots/evaluate/slices.json")
    ]
    return table(["slice", "number", "accuracy", "95 % interval"], *rows)


def behaviour() -> str:
    """Return the failure rates of the behavioural checks."""
    rows = [
        [
            *rate["check"].split(": ", 1),
            str(rate["n"]),
            f"{rate['failure_rate']:.0%}",
            f"{rate['low']:.0%} to {rate['high']:.0%}",
        ]
        for rate in read("plots/behaviour.json")
    ]
    return table(["capability", "check", "cases", "failed", "95 % interval"], *rows)


def by_dataset() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return the metrics of the model and of its rival on the test reviews and each cross dataset, by their titles."""
    found = {f"{load_params().dataset} (test)": (read("metrics/evaluate.json"), read("metrics/baseline.json"))}
    for name, title in titles().items():
        found[title] = (read(f"metrics/cross/{name}.json"), read(f"metrics/cross_baseline/{name}.json"))
    return found


def leads() -> list[str]:
    """Return how many points the model is ahead of its rival on the test reviews and on each cross dataset."""
    found = read("metrics/compare_baseline.json")
    return [lead(found[name]) for name in ("test", *titles())]


def generalization() -> str:
    """Return both classifiers' accuracies on every dataset, their paired differences, and the reviews that leak."""
    rows = [
        [
            name,
            f"{model['n']:,}",
            str(sum(value for key, value in model.items() if key.startswith("leaked_"))),
            accuracy_with_interval(model),
            accuracy_with_interval(baseline),
            ahead,
        ]
        for (name, (model, baseline)), ahead in zip(by_dataset().items(), leads(), strict=True)
    ]
    header = ["reviews", "scored", "leaked, left out", "fine-tuned (95 %)"]
    name = rival(read("metrics/baseline.json"))
    return table([*header, f"strongest cheap rival: {name} (95 %)", "points ahead (95 %)"], *rows)


def transfer() -> str:
    """Return the model's accuracy, and that of its rival, by what was learnt from and what was tested on."""
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
            accuracy_with_interval(found["test"]),
            accuracy_with_interval(found["other_domains"]),
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


def unequal_classes() -> str:
    """Return what weights of the classes and a fitted threshold do where one label is rare."""
    rows = [
        [
            f"{DATASETS[dataset]}, {found['fitted']['positives'] / found['fitted']['n']:.0%} positive",
            change,
            f"{found['threshold']:.2f}" if by == "fitted" else "0.5",
            *(f"{found[by][key]:.3f}" for key in ("accuracy", "balanced_accuracy", "f1", "mcc")),
            f"{found[by]['average_precision']:.3f}",
            f"{found[by]['ece']:.3f}",
        ]
        for dataset, changes in read(UNEQUAL).items()
        for change, found in changes.items()
        for by in ("half", "fitted")
    ]
    header = ["reviews", "class weights", "threshold", "accuracy", "balanced accuracy", "F1", "MCC"]
    return table([*header, "average precision", "ECE"], *rows)


def folds_compared() -> str:
    """Say how accurate the settings are over the folds, and what the other one changes."""
    found = read("benchmarks/folds.json")
    said = [
        f"With {setting} the accuracy is {mean_with_sd(spread['accuracy'])} over {len(found['folds'])} folds of "
        f"{found['reviews']:,} reviews."
        for setting, spread in found["summary"].items()
    ]
    if other := found.get("difference"):
        low, high = other["difference_low"], other["difference_high"]
        said.append(
            f"The difference is {other['difference']:+.3f} (95 % interval {low:+.3f} to {high:+.3f}, McNemar's p "
            f"{other['mcnemar_p']:.2g})."
        )
    return " ".join(said)


def label_audit() -> str:
    """Say how many of the labels are suspected."""
    found = read("benchmarks/label_audit.json")
    count = found["suspects"]
    return (
        f"Of {found['reviews']:,} labels {count['all']:,} may be wrong: {count['positive']:,} positive and "
        f"{count['negative']:,} negative ones."
    )


def flipped_labels() -> str:
    """Return how many of the labels that were flipped on purpose are among the first suspects."""
    found = read("benchmarks/flipped_labels.json")
    rows = [
        [
            name,
            f"{tried['reviews']:,}",
            f"{tried['flipped']:,}",
            f"{tried['accuracy']:.3f}",
            f"{among['first']:,}",
            f"{among['found']:,}",
            f"{among['precision']:.2f}",
            f"{among['recall']:.2f}",
        ]
        for name, tried in found["reviews"].items()
        for among in tried["among"]
    ]
    header = ["reviews", "number", "flipped", "accuracy of the scores", "first suspects"]
    return table([*header, "flipped among them", "precision", "recall"], *rows)


FIGURES = {
    "folds": folds_compared,
    "label-audit": label_audit,
    "flipped-labels": flipped_labels,
    "calibration": calibration,
    "slices": slices,
    "unequal-classes": unequal_classes,
    "behaviour": behaviour,
    "generalization": generalization,
    # report.drawings draws the charts below the tables.
    "transfer": lambda: f"{transfer()}\n\n![Accuracy by domain, as a heat map](images/transfer.svg)",
    "models-compared": lambda: f"{models_compared()}\n\n![Accuracy against cost](images/models.svg)",
}
