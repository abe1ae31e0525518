"""Tables of docs/scale.md."""

from collections.abc import Callable

from report.results import NotMeasuredError, read
from report.tables.markdown import table
from report.tables.models import predictions
from report.tables.performance import AMX, AVX512_BF16, FP32

MODEL = "all-MiniLM-L6-v2"
TRAINED = {"AMX": AMX, "AVX512-BF16": AVX512_BF16, "AVX2": FP32}
THREADS_AND_WORKERS = ("one thread", "two threads", "two workers")
FILES = ("few large files", "many small files")
SERVED = {"AMX": AMX, "AVX2": FP32}


def preparing(stage: str) -> float:
    """Return the core-hours that a stage takes for a million reviews."""
    measured = read("benchmarks/preparing.json")
    return core_hours(measured[stage]["processor_seconds"], measured["rows"])


def training(file: str) -> float:
    """Return the core-hours of one pass over a million reviews of as many tokens as costs are predicted for."""
    measured = read(file)
    rate = measured["training"]["tokens_per_second"]["ours"]["median"]
    return core_hours(read("benchmarks/costs.json")["tokens"] / rate * measured["machine"]["cores"], 1)


def serving(file: str) -> float:
    """Return the core-hours of scoring a million whole film reviews, with a thread for each core."""
    measured = read(file)["serving"]
    return core_hours(measured["threads"] / measured["predictor"]["reviews_per_second"], 1)


def scoring_short() -> float:
    """Return the core-hours of scoring a million reviews of some words."""
    measured = read("benchmarks/workers.json")
    return core_hours(measured["one thread"]["processor_seconds"], measured["rows"])


def workers() -> str:
    """Return what one process and two workers make of short reviews, and of many files and few."""
    measured = read("benchmarks/workers.json")
    one = measured["one thread"]["rows_per_second"]
    rows: list[tuple[str, dict[str, float]]] = [
        *((f"{name}, one file", measured[name] | {"rows": measured["rows"]}) for name in THREADS_AND_WORKERS),
        *((f"two workers, {measured[name]['files']:,} files", measured[name]) for name in FILES),
    ]
    return table(
        ["scored by", "reviews", "reviews/s", "times one thread", "the same by processor time", "peak memory, MB"],
        *[
            [
                name,
                f"{run['rows']:,}",
                f"{run['rows_per_second']:,.0f}",
                f"{run['rows_per_second'] / one:.2f}",
                f"{run['times_one_thread_by_processor']:.2f}" if "times_one_thread_by_processor" in run else "",
                f"{run['peak_mb']:,.0f}",
            ]
            for name, run in rows
        ],
    )


def core_hours(seconds: float, reviews: int) -> float:
    return seconds / reviews * 1e6 / 3600


def costs_per_million() -> str:
    """Return the hours of a core that a million reviews take in each of the ways to use them."""
    tokens = read("benchmarks/costs.json")["tokens"]
    rows: list[tuple[str, str, str, Callable[[], float]]] = [
        ("preparing: `subsample`", "400 characters", "", lambda: preparing("subsample")),
        ("preparing: `tokenize`, whole and in thirds", "400 characters", "", lambda: preparing("tokenize")),
        *(
            ("training, one pass", f"{tokens} tokens", arithmetic, lambda file=file: training(file))
            for arithmetic, file in TRAINED.items()
        ),
        *(
            ("scoring", "whole film reviews", arithmetic, lambda file=file: serving(file))
            for arithmetic, file in SERVED.items()
        ),
        ("scoring", "5 words", "", scoring_short),
    ]
    return table(
        ["a million reviews", "each of", "cores with", "hours of a core"],
        *[[work, size, arithmetic, hours_of(measure)] for work, size, arithmetic, measure in rows],
    )


def hours_of(measure: Callable[[], float]) -> str:
    """Return hours to two digits, or which command would measure them."""
    try:
        hours = measure()
    except NotMeasuredError as error:
        return str(error).removesuffix(".")
    return f"{hours:.2g}" if hours < 10 else f"{hours:,.0f}"


def gpu_hours_per_million() -> str:
    """Return the predicted hours of one pass over a million reviews by device."""
    models, devices = predictions()
    tokens = read("benchmarks/costs.json")["tokens"]
    names = [name for name in devices if not name.endswith(("fp32", "bf16"))]
    chosen = [MODEL, "distilbert-base-uncased", "roberta-base"]
    rows = []
    for name in names:
        speeds = [models[model]["tokens_per_second"][name] for model in chosen]
        rows.append([name, *(f"{tokens * 1e6 / speed / 3600:.2g}" for speed in speeds)])
    return table(["hours of", *chosen], *rows)


FIGURES = {
    "costs-per-million": costs_per_million,
    "gpu-hours-per-million": gpu_hours_per_million,
    "workers": workers,
}
