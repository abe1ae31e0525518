"""Figures of docs/evaluation.md."""

from docs.figures.tables import read
from sentiment.params import load_params


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


FIGURES = {"calibration": calibration, "slices": slices, "behaviour": behaviour}
