"""A comparison of two runs, as text for the terminal or as Markdown."""

from typing import Any

from tabulate import tabulate

from sentiment.evaluation.quoting import escape_markdown, quote

COLUMNS = ["reviews", "n", "accuracy of A (95 %)", "accuracy of B (95 %)", "B - A (95 %)", "McNemar's p"]


def text_of(report: dict[str, Any], *, markdown: bool) -> str:
    """Return what the comparison found, its tables first and the flipped reviews last."""

    def heading(title: str) -> str:
        return f"## {title}\n" if markdown else f"{title}\n{'-' * len(title)}"

    def table(rows: list[list[str]], header: list[str]) -> str:
        return tabulate(rows, header, "github" if markdown else "simple", disable_numparse=True)

    names = " and ".join(f"{run.upper()} = {_name(report[run])}" for run in "ab")
    parts = [heading(names), table([_row(name, found) for name, found in report["datasets"].items()], COLUMNS), ""]
    if report["not_in_both"]:
        parts += [f"In one of the runs only: {', '.join(report['not_in_both'])}", ""]
    if report["parameters"]:
        rows = [[key, _value(a), _value(b)] for key, (a, b) in report["parameters"].items()]
        parts += [table(rows, ["parameter", "A", "B"]), ""]
    else:
        parts += ["No parameter differs.", ""]
    for dataset, found in report["datasets"].items():
        for right, wrong in (("b", "a"), ("a", "b")):
            count, listed = found[f"only_{right}_right"], found["flips"][f"only_{right}_right"]
            if not count:
                continue
            shown = "" if count == len(listed) else f", the surest {len(listed)}"
            parts.append(heading(f"{dataset}: {count} right in {right.upper()}, wrong in {wrong.upper()}{shown}"))
            for review in listed:
                text = escape_markdown(quote(review["text"])) if markdown else quote(review["text"])
                parts.append(f"- {review['label']}, score {review['score_a']:.3f} -> {review['score_b']:.3f}: {text}")
            parts.append("")
    return "\n".join(parts).rstrip()


def _name(run: dict[str, Any]) -> str:
    return f"{run['name']} ({run['revision'][:7]})" if run["revision"] else run["name"]


def _row(dataset: str, found: dict[str, Any]) -> list[str]:
    accuracies = [
        f"{found[run]['accuracy']:.3f} ({found[run]['accuracy_low']:.3f} to {found[run]['accuracy_high']:.3f})"
        for run in "ab"
    ]
    low, high = found["difference_low"], found["difference_high"]
    difference = f"{found['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
    return [dataset, f"{found['n']:,}", *accuracies, difference, f"{found['mcnemar_p']:.3g}"]


def _value(value: Any) -> str:
    """Return a parameter's value as params.yaml has it; None is an empty value there."""
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
