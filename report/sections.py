"""The sections of the report, with tables and charts of what commands of this repository write."""

import csv
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from report.charts import Spec, generalization_chart, models_chart, transfer_chart
from report.results import NotMeasuredError, noting_measurements, read
from report.staleness import note
from report.tables import evaluation, tokenizers
from report.tables.markdown import mean_with_sd, parameters, table
from report.tuning import history, importances
from sentiment.evaluation.quoting import escape_markdown

PROVENANCE = Path("models/sentiment/provenance.json")
ERRORS = Path("data/predictions/errors.md")
SUSPECTS = Path("data/label_audit.csv")
SHOWN_ERRORS = 10
SHOWN_SUSPECTS = 20
SHOWN_TRIALS = 10

QUESTIONS = {
    "How well it generalizes": "How often is it right, on which reviews, and how far ahead of what is cheap?",
    "Training": "Did it learn to the end, and not too long?",
    "Calibration": "Is it right as often as it is sure?",
    "When not to answer": "How good are its answers if it may keep silent?",
    "Where it fails": "Which reviews does it misread?",
    "Its most confident errors": "What do its worst mistakes look like?",
    "Labels that may be wrong": "Which labels should a reader check?",
    "Behaviour": "Does it understand negation, contrast, typos?",
    "Tokenizers": "What does the way to cut words change?",
    "Models and ways to fine-tune": "Which model, for what cost?",
    "From one domain to another": "What does one kind of reviews teach about others?",
    "Luck": "How much of a figure is the seed's?",
    "Folds": "How good is it on all reviews that there are?",
    "Tuning": "Which parameters are better, and which matter?",
    "Data": "How many reviews, and of which label?",
    "Parameters": "What was it made with?",
    "Provenance": "What do its bits depend on?",
}
"""What each section answers, by its title up to a colon."""


@dataclass(frozen=True)
class Section:
    """A part of the report: a sentence on what it shows, tables in Markdown, and charts in Vega-Lite."""

    title: str
    text: str
    tables: Sequence[str] = ()
    charts: Sequence[Spec] = ()

    @property
    def question(self) -> str:
        """What the section answers, for the table of contents; empty where nobody has said it."""
        return QUESTIONS.get(self.title.partition(":")[0], "")


def dvc_plots() -> dict[str, Spec]:
    """Return the specification of every plot of dvc.yaml as DVC fills it, by its file."""
    command = ["dvc", "plots", "show", "--json"]
    shown = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {file: _of_one_run(plots[0]["content"]) for file, plots in shown["data"].items() if plots}


def _of_one_run(spec: Any) -> Any:
    """Drop the legend and the headings that tell runs apart, as there is only one run."""
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
    """Return the report's sections; one whose benchmark has not been run says which command runs it."""
    plots = dvc_plots()

    def plotted(*files: str) -> list[Spec]:
        return [plots[f"plots/{file}"] for file in files if f"plots/{file}" in plots]

    return [
        Section(
            "How well it generalizes",
            "Both learnt from the training split of the first row's dataset; its validation split chose the rival. "
            "Rows that begin with its name are parts of its test split; nothing was learnt from the others. Reviews "
            "that leak from the training are not scored. The tricky set (irony, negation, late turns) was written to "
            "mislead and stands apart; a coin gets half.",
            [evaluation.generalization()],
            [generalization_chart()],
        ),
        Section(
            "Training",
            "The loss of each step, and accuracy and log loss on the validation reviews, which choose the checkpoint.",
            charts=[spec for file, spec in plots.items() if "training" in file],
        ),
        Section(
            "Calibration",
            "How far certainty and accuracy agree. One number, the temperature, is fitted on the validation reviews.",
            [evaluation.calibration()],
            plotted("evaluate/reliability.json", "evaluate/roc.json", "evaluate/confusion.json"),
        ),
        Section(
            "When not to answer",
            "Accuracy of the answers that remain as the least sure ones are held back, by the share of the test "
            "reviews that gets one.",
            charts=plotted("evaluate/risk_coverage.json"),
        ),
        Section(
            "Where it fails",
            "Accuracy on parts of the test reviews; small parts have wide intervals.",
            [evaluation.slices()],
            plotted("evaluate/slices.json"),
        ),
        Section("Its most confident errors", *_errors()),
        *suspects(),
        Section(
            "Behaviour",
            "One capability at a time, on short reviews made from templates.",
            [evaluation.behaviour()],
            plotted("behaviour.json"),
        ),
        Section(
            "Tokenizers",
            "How each cuts the same reviews, and the accuracy of the same small classifier on its ids.",
            [tokenizers.learnt_tokenizers(), tokenizers.tokenizer_accuracy()],
            plotted("tokenizers.json"),
        ),
        benchmark("Models and ways to fine-tune", models),
        benchmark("From one domain to another", transfer),
        benchmark("Luck", seeds),
        benchmark("Folds", folds),
        *tuning(),
        *_origin(),
    ]


def benchmark(title: str, section: Callable[[str], Section]) -> Section:
    """Return a measurement's section, with a note where it is stale; where there is none, the command that makes it."""
    try:
        with noting_measurements() as measurements:
            made = section(title)
    except NotMeasuredError as error:
        return Section(title, str(error))
    return replace(made, text=" ".join(filter(None, [made.text, note(measurements)])))


def _errors() -> tuple[str, Sequence[str]]:
    if not ERRORS.exists():
        return "They are an output of the stage `evaluate` that is not here: `dvc repro evaluate` writes it.", ()
    listed = [line for line in ERRORS.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    return f"Read these before anything else; {ERRORS} has them all.", ["\n".join(listed[:SHOWN_ERRORS])]


def models(title: str) -> Section:
    text = (
        "Every variant learnt from the same film reviews. The line joins those that no other beats at their cost. "
        f"Minutes and milliseconds are those of one machine; threads: {read(evaluation.MODELS)['threads']}."
    )
    return Section(title, text, [evaluation.models_compared()], [models_chart()])


def transfer(title: str) -> Section:
    text = (
        "Accuracy by what was learnt from and what was tested on: the fine-tuned model's / that of its strongest "
        "cheap rival."
    )
    return Section(title, text, [evaluation.transfer()], [transfer_chart()])


def seeds(title: str) -> Section:
    found = read("benchmarks/seeds.json")
    rows = [[dataset, *map(mean_with_sd, spreads.values())] for dataset, spreads in found["summary"].items()]
    header = ["reviews", *next(iter(found["summary"].values()))]
    text = f"Mean and standard deviation over {len(found['seeds'])} trainings that differ in their seed alone."
    return Section(title, text, [table(header, *rows)])


def folds(title: str) -> Section:
    found = read("benchmarks/folds.json")
    rows = [[setting, *map(mean_with_sd, spreads.values())] for setting, spreads in found["summary"].items()]
    header = ["parameters", *next(iter(found["summary"].values()))]
    text = f"Each review is scored by a model that learnt from the other folds. {evaluation.folds_compared()}"
    return Section(title, text, [table(header, *rows)])


def suspects() -> list[Section]:
    """Return a section of the reviews whose labels may be wrong; none where no audit was made."""
    if not SUSPECTS.exists():
        return []
    with SUSPECTS.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    rows = [
        [review["label"], f"{float(review['score']):.3f}", escape_markdown(review["text"])]
        for review in found[:SHOWN_SUSPECTS]
    ]
    text = (
        f"{len(found):,} training reviews whose label models doubt that did not learn from them, the likeliest first; "
        f"{SUSPECTS} has them all. A score is the probability of positive. Whether a label is wrong, a reader decides."
    )
    return [Section("Labels that may be wrong", text, [table(["label", "score", "review"], *rows)])]


def tuning() -> list[Section]:
    """Return a section for each study of `make tune`, or one that says how to do one."""
    studies = sorted(Path("studies").glob("*/trials.json"))
    if not studies:
        return [Section("Tuning", "No study yet: `make tune` does one.")]
    return [_study(json.loads(file.read_text(encoding="utf-8"))) for file in studies]


def _study(found: dict[str, Any]) -> Section:
    complete = [trial for trial in found["trials"] if trial["state"] == "complete"]
    best = sorted(complete, key=lambda trial: trial["log_loss"])[:SHOWN_TRIALS]
    rows = [[trial["experiment"], f"{trial['log_loss']:.4f}", parameters(trial["changes"])] for trial in best]
    stopped = sum(trial["state"] == "pruned" for trial in found["trials"])
    text = (
        f"{len(found['trials'])} trials, of which {stopped} were stopped early, judged by the log loss on validation "
        "reviews; `dvc exp apply NAME` takes one. How much of the log loss each parameter decides is estimated from "
        "the trials (PED-ANOVA), and says little where these are few."
    )
    charts = [history(found["trials"]), importances(found["importances"])]
    return Section(f"Tuning: {found['study']}", text, [table(["NAME", "log loss", "parameters"], *rows)], charts)


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
    text = (
        "Versions and hashes are in `models/sentiment/provenance.json`, which is not here: `dvc repro train` writes it."
    )
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
