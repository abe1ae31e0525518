"""Tables of docs/performance.md: training and evaluation, a table for each kind of processor."""

from functools import partial

from report.results import read
from report.tables.markdown import table, with_range

AMX, AVX512_BF16, FP32 = (f"benchmarks/speeds/{kind}.json" for kind in ("amx", "avx512_bf16", "fp32"))
KINDS = {"amx": AMX, "avx512-bf16": AVX512_BF16, "fp32": FP32}
GPU = "benchmarks/gpu.json"


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


def ablation(file: str) -> str:
    """Return what each choice of ours speeds training up by, the others kept, largest first."""
    measured = read(file)
    ratios = {name: ratio for name, ratio in measured["training"]["ratio"].items() if name.startswith("without ")}
    if not measured["machine"]["bf16"]:
        # It is the same training once more.
        del ratios["without bf16"]
    return table(
        ["choice", "times the speed without it"],
        *[
            [name.removeprefix("without "), with_range(ratio, 2)]
            for name, ratio in sorted(ratios.items(), key=lambda item: -item[1]["median"])
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


def stage_memory(file: str) -> str:
    """Return each stage's peak memory."""
    return table(
        ["stage", "MiB"], *[[f"`{stage}`", f"{used / 2**20:,.0f}"] for stage, used in read(file)["memory"].items()]
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


FIGURES = {
    f"{name}-{kind}": partial(figure, file)
    for kind, file in KINDS.items()
    for name, figure in {
        "speed": speed,
        "ablation": ablation,
        "peak-shares": peak_shares,
        "time-spent": time_spent,
        "stage-memory": stage_memory,
    }.items()
    # Nobody asks what the time is spent on where all of it is slow.
    if (name, kind) != ("time-spent", "fp32")
} | {"gpu": gpu}
