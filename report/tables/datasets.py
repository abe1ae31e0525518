"""Tables of docs/datasets.md."""

from report.results import read
from report.tables.markdown import table

SURVEY = "benchmarks/dataset_survey.json"


def datasets() -> str:
    """Return size, balance, what is dropped, and lengths of each dataset."""
    rows = [
        [
            name,
            f"{found['read']:,}",
            f"{found['positives'] / found['read']:.0%}",
            *(f"{found[key]:,}" for key in ("duplicate", "contradictory")),
            *(f"{found[f'{unit}_{part}']:,.0f}" for unit in ("words", "tokens") for part in ("p50", "p95")),
            *(f"{found[key]:.1%}" for key in ("truncated_share", "over_512_share")),
        ]
        for name, found in read(SURVEY)["datasets"].items()
    ]
    header = ["dataset", "rows", "positive", "duplicates", "contradictory", "words, median", "95 %", "tokens, median"]
    return table([*header, "95 %", f"longer than {read(SURVEY)['max_length']}", "longer than 512"], *rows)


def tells() -> str:
    """Return what gives a review's source or label away besides its words."""
    rows = [
        [
            name,
            *(f"{median:,.0f}" for median in found["words_p50_by_label"]),
            f"{found['html_share']:.1%}",
            f"{found['rating_share']:.1%}",
        ]
        for name, found in read(SURVEY)["datasets"].items()
    ]
    header = ["dataset", "words, median: negative", "positive", "with `<br />`", "with a rating in figures"]
    return table(header, *rows)


def overlaps() -> str:
    """Return how many reviews of one dataset are in another."""
    survey = read(SURVEY)
    rows = [
        [found["of"], found["in"], f"{survey['datasets'][found['of']]['read']:,}"]
        + [f"{found[f'leaked_{kind}']:,}" for kind in ("exact", "contained", "near")]
        for found in survey["overlaps"]
    ]
    return table(["of", "in", "rows", "exact", "contained", "near"], *rows)


FIGURES = {"datasets": datasets, "tells": tells, "overlaps": overlaps}
