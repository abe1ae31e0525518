"""Tables of README.md, the pipeline's graph and the pictures."""

import json
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from report.results import NotMeasuredError, read, rival
from report.tables.evaluation import by_dataset, leads, titles
from report.tables.markdown import accuracy_with_interval, interval, lead, mean_with_sd, table
from report.tables.performance import AVX512_BF16, FP32
from sentiment.core.params import load_params
from sentiment.core.schemas import read_yaml

IMDB = Path("benchmarks/imdb.yaml")


def header(rival: str) -> list[str]:
    return ["reviews", "number", "accuracy", "95 % interval", rival, "points ahead (95 %)"]


def row(name: str, figures: dict[str, Any], baseline: dict[str, Any], ahead: str) -> list[str]:
    accuracies = f"**{figures['accuracy']:.3f}**", interval(figures), f"{baseline['accuracy']:.3f}"
    return [name, f"{figures['n']:,}", *accuracies, ahead]


def results() -> str:
    """Return the default's accuracy on its test reviews and on each cross dataset, and what other seeds make of it."""
    both = zip(by_dataset().items(), leads(), strict=True)
    rows = [
        header(rival(read("metrics/baseline.json"))),
        *(row(title, *found, ahead) for (title, found), ahead in both),
    ]
    names = ["test", *titles()]
    with suppress(NotMeasuredError):
        seeds = read("benchmarks/seeds.json")
        # Else it was measured with another default.
        if seeds["summary"].keys() == set(names):
            spreads = [seeds["summary"][name]["accuracy"] for name in names]
            column = [f"{len(seeds['seeds'])} other seeds", *map(mean_with_sd, spreads)]
            rows = [[*cells, cell] for cells, cell in zip(rows, column, strict=True)]
    return table(*rows)


def real_reviews() -> str:
    """Return the default's accuracy on real reviews, with the mean of those that count in it below them."""
    measured = read("benchmarks/real_reviews.json")
    rows = {
        name: row(name, figures["model"], figures["baseline"], lead(figures["lead"]))
        for name, figures in measured["files"].items()
    }
    counted = [rows.pop(name) for name in measured["mean_of"]]
    means = measured["mean_accuracy"]
    mean = ["mean of these", "", f"**{means['model']:.3f}**", "", f"{means['baseline']:.3f}"]
    return table(header(rival(measured)), *counted, [*mean, lead(measured["mean_lead"])], *rows.values())


def dag() -> str:
    """Return the pipeline's graph as DVC draws it."""
    command = ["dvc", "dag", "--md", "--collapse-foreach-matrix", "dvc.yaml"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


PICTURES = {
    "page": "The web page, which reads a review while it is typed",
    "report": "The report on what the model can do and where it fails",
}


def pictures() -> str:
    """Return the pictures that there are."""
    paths = {Path(f"docs/images/{name}.png"): what for name, what in PICTURES.items()}
    return "\n".join(f"![{what}]({path.as_posix()})" for path, what in paths.items() if path.exists())


def minutes(tokens: float) -> tuple[float, float]:
    """Return the time that training on so many tokens takes at the speeds measured, with bf16 and without."""
    runs = (read(file) for file in (AVX512_BF16, FP32))
    fast, slow = (tokens / run["training"]["tokens_per_second"]["ours"]["median"] / 60 for run in runs)
    return fast, slow


def on_imdb(recipe: str) -> list[str]:
    """Return the command of a recipe for IMDB, the minutes its training took and the accuracy to expect."""
    plan, params = read_yaml(IMDB), read_yaml(Path("params.yaml"))
    changes = []
    for key, value in (plan["base"] | plan["recipes"][recipe]).items():
        section, _, name = key.rpartition(".")
        if value != (params[section] if section else params)[name]:
            written = value if isinstance(value, str) else json.dumps(value)
            changes.append(f"-S {shlex.quote(f'{key}={written}')}")
    measured = read("benchmarks/imdb.json")["recipes"][recipe]
    accuracy = accuracy_with_interval(measured["tested"]["imdb-test"])
    command = f"`dvc exp run {' '.join(changes)}`"
    about = f"{measured['minutes']:.0f} min with {measured['arithmetic']}"
    return [command, about, f"{accuracy} on IMDB's test reviews"]


def best_on_imdb() -> str:
    """Return the recipe for IMDB that validated best within 15 minutes, of those on all of its reviews.

    Of recipes as accurate the one with the lower log loss.
    """
    measured = read("benchmarks/imdb.json")["recipes"]
    whole = {name for name, recipe in measured.items() if recipe["minutes"] <= 15 and name != "first look"}
    validation = {name: measured[name]["validation"] for name in whole}
    return max(validation, key=lambda name: (validation[name]["accuracy"], -validation[name]["log_loss"]))


def ways() -> str:
    """Return what to run with what one has, how long its training takes and what to expect."""
    params = load_params()
    tokens = read("metrics/tokenize.json")["train"]["tokens"] * params.train.epochs * params.train.runs
    reviews = read("metrics/subsample.json")["splits"]["train"]["kept"]
    per_epoch = read("benchmarks/costs.json")["models"]["distilbert-base-uncased"]["minutes"]
    one, two = (f"{2 * per_epoch[device]:.1f} min, predicted" for device in ("T4", "2 T4"))
    tested = f"{read('metrics/evaluate.json')['accuracy']:.3f} on the test reviews"
    large = "-S train.epochs=2 -S train.lr=5e-5 -S tokenize.max_length=128"
    own = "`dvc exp run -S dataset=reviews.csv` ([own/](own/README.md))"
    whole = f"`dvc exp run -S dataset=imdb -S model=distilbert-base-uncased {large}`"
    published = "0.90 to 0.93, [published](docs/models.md#what-was-published)"
    command, about, expect = on_imdb(best_on_imdb())
    about += ", else add `-S train.over_time=shorten`"
    processors = "{:.0f} min where the processor has bf16, else {:.0f}"
    per_thousand = f"per 1,000 reviews like the default's: {processors.format(*minutes(tokens / reviews * 1000))}"
    on_mac = f"{minutes(tokens)[1]:.0f} min or less, in fp32 ([why](docs/platforms.md#notes-on-each))"
    return table(
        ["you have", "and want", "command", "about", "expect"],
        ["a laptop", "the default", "`make run`", processors.format(*minutes(tokens)), tested],
        ["a Mac", "the default", "`make run`", on_mac, tested],
        ["a laptop, and reviews of your own", "a model of them", own, per_thousand, "`metrics/evaluate.json` tells"],
        ["a laptop, and the hub", "a first look at IMDB", *on_imdb("first look")],
        ["a T4, and the hub", "DistilBERT on all of IMDB", whole, one, published],
        ["two T4 (Kaggle), and the hub", "the same", "the same: both are used", two, published],
        ["a laptop, the hub, and 15 minutes", "the most of IMDB", command, about, expect],
    )


FIGURES = {"results": results, "real-reviews": real_reviews, "dag": dag, "pictures": pictures, "ways": ways}
