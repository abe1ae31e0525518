"""Tables of docs/performance.md: serving."""

from functools import partial

from report.results import read
from report.tables.markdown import table, with_range
from report.tables.performance import AMX, FP32


def serving(file: str) -> str:
    """Return what the exported model and transformers' pipeline take, and how they compare within each turn."""
    measured = read(file)["serving"]
    ours, theirs, ratios = measured["predictor"], measured["pipeline"], measured["times_as_fast"]
    rows = [
        ("one short review, ms", "single_ms", 2, with_range(ratios["single"], 1)),
        ("many reviews, reviews/s", "reviews_per_second", 0, with_range(ratios["batch"], 1)),
        ("from start to first answer, s", "start_up_s", 1, ""),
        ("peak memory, MB", "memory_mb", 0, ""),
    ]
    return table(
        ["", "ours", "pipeline", "times as fast"],
        *[[what, f"{ours[key]:,.{digits}f}", f"{theirs[key]:,.{digits}f}", ratio] for what, key, digits, ratio in rows],
    )


def load() -> str:
    """Return what the saturated server answered, and what became of the requests while it was killed."""
    measured = read("benchmarks/load.json")
    busy, killed = measured["saturated"], measured["restarted"]
    answered = {"answered": round(busy["answers_per_second"] * busy["seconds"])}
    ends = ["answered", "failed", "wrong", "lost"]
    speed = f"{busy['median_ms']:,.0f} ({busy['p99_ms']:,.0f})"
    memory = f"{busy['memory_early_mb']:,.0f}, then {busy['memory_late_mb']:,.0f}"

    def row(title: str, counts: dict[str, int], *more: str) -> list[str]:
        return [title, *(f"{counts[end]:,}" for end in ends), *more]

    return table(
        ["", *ends, "ms until an answer, median (p99)", "memory, MB"],
        row(f"{busy['connections']} connections, {busy['seconds']} s", busy | answered, speed, memory),
        row(f"{killed['kills']} kills", killed, "", ""),
    )


FIGURES = {
    "load": load,
    "serving-amx": partial(serving, AMX),
    "serving-fp32": partial(serving, FP32),
}
