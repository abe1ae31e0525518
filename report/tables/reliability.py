"""Tables of docs/reliability.md."""

from report.results import read
from report.tables.markdown import table


def tolerance() -> str:
    """Return how far each change of threads or precision moved the accuracies."""
    changes = read("benchmarks/tolerance.json")["changes"]
    rows = []
    for name, found in changes.items():
        datasets = found["datasets"].values()
        flipped, reviews = (sum(dataset[key] for dataset in datasets) for key in ("flipped", "n"))
        accuracies = found["datasets"]["test"]
        rows.append(
            [
                name,
                f"{accuracies['default']:.3f} → {accuracies['accuracy']:.3f}",
                f"{found['largest_difference']:.3f}",
                f"{flipped:,} of {reviews:,}",
            ]
        )
    header = ["", "accuracy, test", "largest difference on any dataset", "verdicts that flipped"]
    return table(header, *rows)


FIGURES = {"tolerance": tolerance}
