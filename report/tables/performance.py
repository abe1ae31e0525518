"""Tables of docs/performance.md: training and evaluation."""

from functools import partial
from pathlib import Path
from typing import Any

from report.results import read
from report.tables.markdown import table, with_range

RESULTS = "benchmarks/results.json"
WITH_AMX = "benchmarks/results_with_amx.json"
WITHOUT_BF16 = "benchmarks/results_without_bf16.json"
GPU = "benchmarks/gpu.json"
WAITING = "benchmarks/waiting.json"


def speed(file: str) -> str:
    """Return our speeds, those of what people would use instead, and the ratios."""
    measured = read(file)
    training, evaluation, tokenization = (measured[name] for name in ("training", "evaluation", "tokenization"))
    tokens = training["tokens_per_second"]
    rows = [
        ["training, tokens/s", tokens["ours"], name, tokens[name], training["ratio"][name]]
        for name in ("stock", "stock, padded to the maximum")
    ]
    if measured["machine"]["bf16"]:
        rows.append(
            ["training in fp32, tokens/s", tokens["without bf16"], "stock", tokens["stock"], training["fp32_ratio"]]
        )
    for work, result, rival in (("evaluation", evaluation, "stock"), ("tokenization", tokenization, "datasets.map")):
        speeds = result["reviews_per_second"]
        rows.append([f"{work}, reviews/s", speeds["ours"], rival, speeds[rival], result["ratio"]])
    return table(
        ["", "ours", "instead of", "theirs", "ratio"],
        *[
            [work, f"{ours['median']:,.0f}", rival, f"{theirs['median']:,.0f}", with_range(ratio, 2)]
            for work, ours, rival, theirs, ratio in rows
        ],
    )


def ablation() -> str:
    """Return by arithmetic what each choice of ours speeds training up by, the others kept, largest first."""
    ratios = {arithmetic: training["ratio"] for arithmetic, training in by_arithmetic("training").items()}
    # There it is the same training once more.
    ratios.get("fp32", {}).pop("without bf16", None)
    choices = {name for one in ratios.values() for name in one if name.startswith("without ")}

    def largest(name: str) -> float:
        return max(one[name]["median"] for one in ratios.values() if name in one)

    return table(
        ["choice", *(f"times the speed without it, {arithmetic}" for arithmetic in ratios)],
        *[
            [
                name.removeprefix("without "),
                *(with_range(one[name], 2) if name in one else "not measured" for one in ratios.values()),
            ]
            for name in sorted(choices, key=largest, reverse=True)
        ],
    )


def peak_shares(file: str) -> str:
    """Return our shares of the machine's matmul peak."""
    measured = read(file)
    return table(
        ["", "peak, GFLOP/s", "share of it"],
        *[
            [
                work,
                f"{measured[work]['peak']['median'] / 1e9:,.0f}",
                with_range(measured[work]["share_of_peak"], 2),
            ]
            for work in ("training", "evaluation")
        ],
    )


def time_spent(file: str) -> str:
    """Return what the time of training and evaluation is spent on, the largest share of training first."""
    spent = read(file)["profile"]
    kinds = sorted(spent["training"], key=lambda kind: (kind == "everything else", -spent["training"][kind]))
    return table(
        ["", "training", "evaluation"],
        *[[kind, *(f"{spent[work][kind]:.1%}" for work in ("training", "evaluation"))] for kind in kinds],
    )


def by_arithmetic(part: str) -> dict[str, Any]:
    """Return a part of what was measured by the arithmetic it was measured in."""
    files = {"AMX": WITH_AMX, "bf16": RESULTS, "fp32": WITHOUT_BF16}
    return {arithmetic: read(file)[part] for arithmetic, file in files.items() if Path(file).exists()}


def stage_memory() -> str:
    """Return each stage's peak memory by arithmetic."""
    used = by_arithmetic("memory")
    stages = sorted(set[str]().union(*used.values()))
    return table(
        ["stage", *(f"MiB in {arithmetic}" for arithmetic in used)],
        *[[f"`{stage}`", *(mebibytes(one.get(stage)) for one in used.values())] for stage in stages],
    )


def mebibytes(size: float | None) -> str:
    return "not measured" if size is None else f"{size / 2**20:,.0f}"


def growth() -> str:
    """Return speed and memory of training by arithmetic and the number of its reviews."""
    return table(
        ["arithmetic", "reviews", "tokens", "tokens/s", "peak memory, MiB"],
        *[
            [
                arithmetic,
                f"{run['rows']:,}",
                f"{run['tokens']:,}",
                f"{run['tokens_per_second']:,.0f}",
                mebibytes(run["memory"]),
            ]
            for arithmetic, runs in by_arithmetic("growth").items()
            for run in runs
        ],
    )


def gpu() -> str:
    """Return our speeds on the GPU, those of the stock Trainer, and the ratios, by model."""
    rows = []
    for model, figures in read(GPU)["models"].items():
        for work, speeds in (("training", "tokens_per_second"), ("evaluation", "reviews_per_second")):
            unit = speeds.split("_")[0]
            medians = {name: f"{speed['median']:,.0f}" for name, speed in figures[work][speeds].items()}
            for rival, ratio in figures[work]["ratio"].items():
                rows.append([model, f"{work}, {unit}/s", medians["ours"], rival, medians[rival], with_range(ratio, 2)])
    return table(["model", "", "ours", "instead of", "theirs", "ratio"], *rows)


def waiting() -> str:
    """Return by way to wait and load the training steps per second, and how many times the library's own they are."""
    loads = read(WAITING)["loads"]
    return table(
        [
            "a waiting thread looks for work",
            *(f"steps/s, {load}" for load in loads),
            *(f"ratio, {load}" for load in loads),
        ],
        *[
            [
                way,
                *(f"{measured[way]['steps_per_second']['median']:.2f}" for measured in loads.values()),
                *(with_range(measured[way]["ratio"], 2) for measured in loads.values()),
            ]
            for way in next(iter(loads.values()))
        ],
    )


FIGURES = {
    "speed": partial(speed, RESULTS),
    "speed-with-amx": partial(speed, WITH_AMX),
    "speed-in-single-precision": partial(speed, WITHOUT_BF16),
    "ablation": ablation,
    "peak-shares": partial(peak_shares, RESULTS),
    "peak-shares-with-amx": partial(peak_shares, WITH_AMX),
    "peak-shares-in-single-precision": partial(peak_shares, WITHOUT_BF16),
    "time-spent": partial(time_spent, RESULTS),
    "time-spent-with-amx": partial(time_spent, WITH_AMX),
    "stage-memory": stage_memory,
    "growth": growth,
    "gpu": gpu,
    "waiting": waiting,
}
