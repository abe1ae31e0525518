"""Tables of docs/models.md and docs/platforms.md: what benchmarks/costs.py predicts."""

from typing import Any

from report.results import read
from report.tables.markdown import table, with_range
from report.tables.performance import AVX512_BF16

MANY = 400_000
"""Above as many reviews in 15 minutes, feeding them and starting the steps takes longer than computing them."""


def predictions() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the models, cheapest first, and the devices, slowest first, of benchmarks/costs.json."""
    computed = read("benchmarks/costs.json")
    models = sorted(computed["models"].items(), key=lambda item: (item[1]["flops_per_token"], item[1]["parameters"]))
    devices = sorted(
        computed["devices"].items(), key=lambda item: item[1]["number"] * item[1]["peak"] * item[1]["utilization"]
    )
    return dict(models), dict(devices)


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
            + ["< 1" if number < 1 else f"{number:.1f}" if number < 10 else f"{number:.0f}" for number in minutes]
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


def prediction() -> str:
    """Return the default model's speed in training on two cores as predicted and as measured."""
    predicted = read("benchmarks/costs.json")["models"]["all-MiniLM-L6-v2"]["tokens_per_second"]
    measured = read(AVX512_BF16)["training"]["tokens_per_second"]
    rows = []
    for device, recipe in (("2 cores, bf16", "ours"), ("2 cores, fp32", "without bf16")):
        ratio = f"{measured[recipe]['median'] / predicted[device]:.2f}"
        rows.append([device, f"{predicted[device]:,}", with_range(measured[recipe]), ratio])
    return table(["all-MiniLM-L6-v2", "predicted, tokens/s", "measured, tokens/s", "measured / predicted"], *rows)


FIGURES = {"prediction": prediction, "costs": costs, "devices": devices, "fifteen-minutes": fifteen_minutes}
