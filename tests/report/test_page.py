"""The page of the report holds all it needs, and says how to measure what was not measured."""

import json
import re
from pathlib import Path

import pytest

from report import sections, staleness
from report.charts import heat_map
from report.page import page
from report.results import read
from report.sections import Section, dvc_plots
from report.tables.evaluation import MODELS, TRANSFER
from report.vega import svg

ROOT = Path(__file__).resolve().parents[2]
CELLS = [{"trained_on": "books", "tested_on": "films", "classifier": "TF-IDF", "accuracy": 0.8}]


def test_a_page_needs_nothing_from_elsewhere_and_its_links_lead_somewhere() -> None:
    text = page([Section("One", "Text.", ["| a | b |\n|---|---|\n| 1 | 2 |"], [heat_map(CELLS)])] * 2, "T", "O")

    assert "<script" not in text
    assert set(re.findall(r"https?://[\w.]+", text)) == {"http://www.w3.org"}
    assert not re.search(r'(src|href)="(?!#)', text.replace("xmlns:", ""))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'id="([^"]+)"', text))
    names = re.findall(r'\bid="([^"]+)"', text)
    assert len(names) == len(set(names))
    assert text.count("<td>1</td>") == 2


def test_what_a_review_says_of_html_is_shown_and_not_followed() -> None:
    hostile = '<script>alert(1)</script> <img src="http://example.org/x">'
    text = page([Section(hostile, hostile, [f"- {hostile}"])], hostile, hostile)

    assert "<script" not in text
    assert "<img" not in text
    assert text.count("&lt;script&gt;alert(1)") == 7


NOT_MEASURED = "Not measured yet: `dvc repro benchmarks/dvc.yaml:{}` does it."


def test_what_was_not_measured_says_how_to_measure_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert sections.benchmark("M", sections.models) == Section("M", NOT_MEASURED.format("models"))
    assert sections.benchmark("L", sections.seeds) == Section("L", NOT_MEASURED.format("seeds"))


def test_the_section_of_a_stale_measurement_says_how_to_make_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("benchmarks").mkdir()
    Path("benchmarks/models.json").write_text('{"threads": 2}', encoding="utf-8")
    monkeypatch.setattr(staleness, "stale", lambda _: frozenset({"models", "seeds"}))

    def section(title: str) -> Section:
        return Section(title, f"{read('benchmarks/models.json')['threads']} threads.")

    assert sections.benchmark("M", section).text == (
        "2 threads. (measured before later changes of the code: models; "
        "`dvc repro benchmarks/dvc.yaml:models` measures anew)"
    )


TRIALS = [
    {"state": "complete", "log_loss": 0.31, "validations": [0.5, 0.3], "changes": {"train.lr": 1e-4}},
    {"state": "pruned", "log_loss": None, "validations": [0.6], "changes": {"train.lr": 1e-5}},
    {"state": "fail", "log_loss": None, "validations": [], "changes": {"train.lr": 1e-1}},
    {"state": "complete", "log_loss": 0.29, "validations": [0.4], "changes": {"train.lr": 2e-4}},
]


def test_a_study_becomes_a_table_of_its_best_trials_a_history_and_importances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sections.tuning() == [Section("Tuning", "No study yet: `make tune` does one.")]

    Path("studies/rates").mkdir(parents=True)
    trials = [trial | {"number": number, "experiment": f"rates-{number}"} for number, trial in enumerate(TRIALS)]
    study = {"study": "rates", "trials": trials, "best": "rates-3", "importances": {"train.lr": 1.0}}
    Path("studies/rates/trials.json").write_text(json.dumps(study), encoding="utf-8")
    text = page(sections.tuning(), "title", "origin")

    assert "4 trials, of which 1 were stopped early" in text
    assert re.search(r"<td>rates-3</td>\s*<td>0.2900</td>\s*<td><code>train.lr: 0.0002</code></td>", text)
    assert text.index("rates-3") < text.index("rates-0")
    assert text.count("<svg") == 2
    assert "stopped early" in text
    assert "train.lr" in text


def test_suspected_labels_are_shown_as_they_are_written_and_nothing_where_no_audit_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sections.suspects() == []

    Path("data").mkdir()
    hostile = """<script>alert(1)</script> | **no** `joy` [here](http://example.org)"""
    lines = ['"id","label","score","text"', f'"1","positive",0.0123,"{hostile}"']
    lines += [f'"{number}","negative",0.9,"dull {number}"' for number in range(2, 31)]
    sections.SUSPECTS.write_text("\n".join(lines), encoding="utf-8")
    text = page(sections.suspects(), "title", "origin")

    assert "30 training reviews whose label models doubt" in text
    assert re.search(
        r"<td>positive</td>\s*<td>0.012</td>\s*<td>&lt;script&gt;alert\(1\)&lt;/script&gt; \| \*\*no", text
    )
    assert re.findall(r'href="([^"]+)"', text) == ["#s1"]
    assert ("dull 20" in text, "dull 21" in text) == (True, False)


def test_folds_become_a_table_of_both_settings_and_sentences_on_their_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("benchmarks").mkdir()
    spread = {"accuracy": {"mean": 0.88, "sd": 0.01}, "f1": {"mean": 0.87, "sd": 0.02}}
    found = {
        "folds": {"1": {}, "2": {}},
        "reviews": 22115,
        "summary": {"params.yaml": spread, "train.lr=1e-4": spread},
        "difference": {"difference": -0.0123, "difference_low": -0.02, "difference_high": -0.0046, "mcnemar_p": 0.0021},
    }
    Path("benchmarks/folds.json").write_text(json.dumps(found), encoding="utf-8")
    section = sections.folds("Folds")

    assert "With params.yaml the accuracy is 0.880 ± 0.010 over 2 folds of 22,115 reviews." in section.text
    assert "The difference is -0.012 (95 % interval -0.020 to -0.005, McNemar's p 0.0021)." in section.text
    assert "| train.lr=1e-4 | 0.880 ± 0.010 | 0.870 ± 0.020 |" in section.tables[0]


def test_every_plot_of_dvc_is_drawn_without_the_name_of_its_only_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    plots = dvc_plots()

    assert {"plots/evaluate/confusion.json", "plots/evaluate/slices.json", "plots/tokenizers.json"} <= set(plots)
    for file in ("plots/evaluate/confusion.json", "plots/evaluate/slices.json"):
        assert ">workspace<" not in svg(plots[file], "a")


def test_results_of_benchmarks_become_tables_and_charts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("benchmarks").mkdir()
    found = {"accuracy": 0.9, "accuracy_low": 0.85, "accuracy_high": 0.94, "n": 480}
    spread = {"median": 7.4, "low": 7, "high": 8}
    variant = {
        "test": found,
        "other_domains": found | {"accuracy": 0.8},
        "minutes": 3.25,
        "memory": 2**30,
        "parameters": 22_000_000,
        "parameters_trained": 770,
        "milliseconds": spread,
        "reviews_per_second": spread,
    }
    models = {"threads": 1, "variants": {"linear head only": variant}}
    row = {"tested": {"films": {"model": found, "baseline": found | {"accuracy": 0.7}, "leaked": 0}}}
    Path(MODELS).write_text(json.dumps(models), encoding="utf-8")
    Path(TRANSFER).write_text(json.dumps({"train_on": {"books, 160": row}}), encoding="utf-8")
    text = page([sections.models("M"), sections.transfer("T")], "title", "origin")

    assert re.search(r"<td>linear head only</td>\s*<td>0.900 \(0.850 to 0.940\)</td>\s*<td>0.800", text)
    assert re.search(r"<td>3.2</td>\s*<td>1,024</td>\s*<td>22.0</td>\s*<td>0.00</td>\s*<td>7 \(7 to 8\)</td>", text)
    assert "<td>0.900 / 0.700</td>" in text
    assert text.count("<svg") == 2


def test_the_page_of_dvc_plots_loads_scripts_of_this_folder_only() -> None:
    template = (ROOT / ".dvc/plots/page.html").read_text(encoding="utf-8")

    assert re.findall(r'src="([^"]+)"', template) == ["../.dvc/tmp/vega.js"]
    assert "{plot_divs}" in template
    assert "{scripts}" not in template


@pytest.mark.slow
def test_the_table_of_contents_says_what_every_section_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made = sections.sections()

    assert len(made) > 12
    assert [section.title for section in made if not section.question] == []
    assert f"<small>{made[0].question}</small>" in page(made[:1], "T", "O")
