"""What the report holds: its sections, each with tables and charts of files that commands of this repository write."""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.figures.blocks import FIGURES
from docs.figures.comparison import MODELS, TRANSFER, models_compared, scored, transfer
from docs.figures.tables import read, table
from report.charts import generalization, heat_map, pareto

SEEDS = "benchmarks/seeds.json"
PROVENANCE = Path("models/sentiment/provenance.json")
ERRORS = Path("data/predictions/errors.md")
SHOWN_ERRORS = 10

Spec = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A part of the report: a sentence of what it says, tables in Markdown, and charts in Vega-Lite."""

    title: str
    text: str
    tables: Sequence[str] = ()
    charts: Sequence[Spec] = ()


def dvc_plots() -> dict[str, Spec]:
    """Return the specification of every plot of dvc.yaml as DVC fills it, by its file."""
    command = ["dvc", "plots", "show", "--json"]
    shown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {file: _of_one_run(plots[0]["content"]) for file, plots in shown["data"].items() if plots}


def _of_one_run(spec: Any) -> Any:
    """Drop the legend and the headings that tell runs apart: there is only one."""
    if isinstance(spec, list):
        return [_of_one_run(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    cleaned = {key: _of_one_run(part) for key, part in spec.items()}
    for channel, hidden in (("color", "legend"), ("column", "header")):
        if isinstance(encoding := cleaned.get(channel), dict) and encoding.get("field") == "rev":
            encoding[hidden] = None
    return cleaned


def sections() -> list[Section]:
    """Return the report's sections; one whose measurement has not been made says which command makes it."""
    plots = dvc_plots()

    def drawn(*files: str) -> list[Spec]:
        return [plots[f"plots/{file}"] for file in files if f"plots/{file}" in plots]

    return [
        Section(
            "How well it generalizes",
            "Both learnt from the first kind of reviews only. A review that leaks from the training is not scored. The "
            "tricky set (irony, negation, late turns) was written to mislead and stands apart; a coin gets half.",
            [FIGURES["generalization"]()],
            [_generalization()],
        ),
        Section(
            "Training",
            "The loss of each step, and accuracy and log loss on the validation reviews, which choose the checkpoint.",
            charts=[spec for file, spec in plots.items() if "training" in file],
        ),
        Section(
            "Calibration",
            "How far certainty and accuracy agree. One number, the temperature, is fitted on the validation reviews.",
            [FIGURES["calibration"]()],
            drawn("evaluate/reliability.json", "evaluate/roc.json", "evaluate/confusion.json"),
        ),
        Section(
            "Where it fails",
            "Accuracy on parts of the test reviews; small parts have wide intervals.",
            [FIGURES["slices"]()],
            drawn("evaluate/slices.json"),
        ),
        Section("Its most confident errors", *_errors()),
        Section(
            "Behaviour",
            "One capability at a time, on short reviews made from templates.",
            [FIGURES["behaviour"]()],
            drawn("behaviour.json"),
        ),
        Section(
            "Tokenizers",
            "How each cuts the same reviews, and the accuracy of the same small classifier on its ids.",
            [FIGURES["learnt-tokenizers"](), FIGURES["tokenizer-accuracy"]()],
            drawn("tokenizers.json"),
        ),
        _measured("Models and ways to fine-tune", MODELS, "make models", _models),
        _measured("From one domain to another", TRANSFER, "make transfer", _transfer),
        _measured("Luck", SEEDS, "make seeds", _seeds),
        *_origin(),
    ]


def _measured(title: str, file: str, command: str, section: Callable[[str], Section]) -> Section:
    if Path(file).exists():
        return section(title)
    return Section(title, f"Not measured yet: `{command}` does it.")


def _errors() -> tuple[str, Sequence[str]]:
    if not ERRORS.exists():
        return "They are among the outputs of the stage `evaluate`, which are not here: `dvc repro evaluate`.", ()
    listed = [line for line in ERRORS.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    return f"Read these before anything else; {ERRORS} has them all.", ["\n".join(listed[:SHOWN_ERRORS])]


def _generalization() -> Spec:
    rows = [
        {
            "reviews": name,
            "classifier": classifier,
            "accuracy": figures["accuracy"],
            "low": figures["accuracy_low"],
            "high": figures["accuracy_high"],
            "n": figures["n"],
        }
        for name, pair in scored().items()
        for classifier, figures in zip(("fine-tuned", "TF-IDF"), pair, strict=True)
    ]
    return generalization(rows)


def transfer_chart() -> Spec:
    """Return the heat map of `make transfer`."""
    cells = [
        {"trained_on": name, "tested_on": domain, "classifier": title, "accuracy": figures[kind]["accuracy"]}
        for name, row in read(TRANSFER)["train_on"].items()
        for domain, figures in row["tested"].items()
        for kind, title in (("model", "fine-tuned"), ("baseline", "TF-IDF"))
    ]
    return heat_map(cells)


def models_chart() -> Spec:
    """Return accuracy against cost of `make models`."""
    points = [
        {
            "variant": name,
            "accuracy": found["other_domains"]["accuracy"],
            "minutes": found["minutes"],
            "milliseconds": 1000 / found["reviews_per_second"]["median"],
        }
        for name, found in read(MODELS)["variants"].items()
    ]
    return pareto(points)


def _models(title: str) -> Section:
    text = (
        "Every variant learnt from the same reviews. The line joins those that none beats at their cost. The minutes "
        f"and milliseconds are those of one machine; threads: {read(MODELS)['threads']}."
    )
    return Section(title, text, [models_compared()], [models_chart()])


def _transfer(title: str) -> Section:
    text = "Accuracy by what was learnt from and what was tested on: the fine-tuned model's / that of TF-IDF."
    return Section(title, text, [transfer()], [transfer_chart()])


def _seeds(title: str) -> Section:
    seeds = read(SEEDS)
    rows = [
        [dataset, *(f"{spread['mean']:.3f} ± {spread['sd']:.3f}" for spread in found.values())]
        for dataset, found in seeds["summary"].items()
    ]
    header = ["reviews", *next(iter(seeds["summary"].values()))]
    text = f"Mean and standard deviation over {len(seeds['seeds'])} trainings that differ in their seed alone."
    return Section(title, text, [table(header, *rows)])


def _origin() -> list[Section]:
    """Return what was run: data, parameters, software."""
    splits = read("metrics/subsample.json")["splits"]
    rows = [
        [
            name,
            f"{split['kept']:,}",
            f"{split['positives']:,}",
            f"{sum(value for key, value in split.items() if key.startswith('leaked_')):,}",
        ]
        for name, split in splits.items()
    ]
    data = table(["split", "reviews", "positive", "leaked, left out"], *rows)
    text = "The versions and hashes are in `models/sentiment/provenance.json`, which is not here: `dvc repro train`."
    provenance = []
    if PROVENANCE.exists():
        written = json.loads(PROVENANCE.read_text(encoding="utf-8"))
        text = "What the bits of the model depend on."
        environment = {key: value for key, value in written["environment"].items() if key != "packages"}
        provenance = [
            _listed("software and machine", environment | written["environment"]["packages"]),
            _listed("sha256 of the inputs", written["inputs"]),
        ]
    parameters = Path("params.yaml").read_text(encoding="utf-8").splitlines()
    values = "\n".join(line for line in parameters if line.strip() and not line.lstrip().startswith("#"))
    return [
        Section("Data", "The reviews of each split, after duplicates, contradictions and leaks were dropped.", [data]),
        Section("Parameters", "All of params.yaml, whose comments say what each means.", [f"```yaml\n{values}\n```"]),
        Section("Provenance", text, provenance),
    ]


def _listed(title: str, values: dict[str, Any]) -> str:
    return table([title, ""], *[[key, "" if value is None else str(value)] for key, value in values.items()])
