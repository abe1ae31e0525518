"""Tables show what was measured, with names that say what it is."""

import json
import shutil
from pathlib import Path

import pytest

from report.tables import readme
from report.tables.evaluation import PARTS, by_dataset, generalization, titles
from report.tables.scale import costs_per_million
from sentiment.core.params import load_params
from sentiment.sources.catalog import load_catalog
from tests.report.documents import ROOT


def rows(table: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in table.splitlines() if not line.startswith("|---")]


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where every cross dataset of params.yaml has metrics, though no stage wrote them."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    figures = {"accuracy": 0.9, "accuracy_low": 0.85, "accuracy_high": 0.94, "n": 480}
    crosses = load_params().cross_datasets
    names = ["evaluate", "baseline", *(f"{kind}/{name}" for kind in ("cross", "cross_baseline") for name in crosses)]
    for name in names:
        file = Path(f"metrics/{name}.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(figures), encoding="utf-8")
    lead = {"difference": 0.1, "difference_low": 0.05, "difference_high": 0.15}
    Path("metrics/compare_baseline.json").write_text(json.dumps(dict.fromkeys(["test", *crosses], lead)))
    Path("benchmarks").mkdir()
    return tmp_path


def test_every_dataset_has_a_row_parts_of_the_test_split_first_and_the_tricky_ones_last(measured: Path) -> None:
    params = load_params(measured / "params.yaml")
    named = titles()
    own = f"{params.dataset} (test)"

    assert named.keys() == set(params.cross_datasets)
    assert list(named)[-1] == "tricky"
    assert list(by_dataset()) == [own, *named.values()]
    parts = [title for title in named.values() if title.startswith(own)]
    assert list(named.values())[: len(parts)] == parts
    assert [row[0] for row in rows(readme.results())[1:]] == [own, *named.values()]


def test_the_rivals_name_is_the_metrics_and_its_lead_comes_with_the_interval(measured: Path) -> None:
    figures = json.loads(Path("metrics/baseline.json").read_text(encoding="utf-8"))
    Path("metrics/baseline.json").write_text(json.dumps(figures | {"rival": "NB n-grams"}), encoding="utf-8")
    header, first, *_ = rows(readme.results())

    assert header[4:] == ["NB n-grams", "points ahead (95 %)"]
    assert first[5] == "+10.0 (+5.0 to +15.0)"
    assert "strongest cheap rival: NB n-grams (95 %)" in generalization()


def test_what_is_called_a_part_of_a_test_split_is_one() -> None:
    datasets = load_catalog(ROOT / "catalog.yaml").datasets

    for whole, parts in PARTS.items():
        test = datasets[whole].splits["test"]
        for part in parts:
            rows_of = datasets[part].splits["test"]
            (wanted,) = rows_of.where
            assert set(rows_of.file) <= set(test.file)
            assert any(
                all(set(wanted.get(column, ["others"])) <= set(values) for column, values in each.items())
                for each in test.where
            )


def test_other_seeds_have_a_column_only_where_they_were_scored_on_the_same_datasets(measured: Path) -> None:
    spread = {"accuracy": {"mean": 0.9, "sd": 0.01}}
    for names in (["test", *titles()], ["test", "books"]):
        seeds = {"seeds": {"1": {}, "2": {}}, "summary": dict.fromkeys(names, spread)}
        (measured / "benchmarks/seeds.json").write_text(json.dumps(seeds), encoding="utf-8")
        header = rows(readme.results())[0]

        assert ("2 other seeds" in header) == (len(names) > 2)


def test_costs_per_million_are_those_of_the_measured_rates_or_say_what_measures_them(measured: Path) -> None:
    def write(name: str, content: object) -> None:
        (measured / f"benchmarks/{name}.json").write_text(json.dumps(content), encoding="utf-8")

    write("costs", {"tokens": 100})
    training = {"tokens_per_second": {"ours": {"median": 1000}}}
    served = {"threads": 2, "predictor": {"reviews_per_second": 250}}
    (measured / "benchmarks/speeds").mkdir()
    write("speeds/amx", {"training": training, "machine": {"cores": 4}, "serving": served})
    write("preparing", {"rows": 500, "subsample": {"processor_seconds": 18}, "tokenize": {"processor_seconds": 36}})
    hours = {tuple(row[:3]): row[3] for row in rows(costs_per_million())[1:]}

    assert hours["training, one pass", "100 tokens", "AMX"] == "111"
    assert hours["scoring", "whole film reviews", "AMX"] == "2.2"
    assert hours["preparing: `subsample`", "400 characters", ""] == "10"
    assert hours["scoring", "5 words", ""] == "Not measured yet: `dvc repro benchmarks/dvc.yaml:workers` does it"
