"""The report: its charts, its page, and what it says of what was not measured."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import content
from report.charts import best_for_their_cost, generalization, heat_map, pareto, svg, with_room
from report.content import Section, dvc_plots
from report.page import page

ROOT = Path(__file__).resolve().parents[1]
CELLS = [
    {"trained_on": a, "tested_on": b, "classifier": kind, "accuracy": 0.8}
    for a in ("films", "books")
    for b in ("films", "restaurants")
    for kind in ("fine-tuned", "TF-IDF")
]
POINTS = [
    {"variant": f"variant {number}", "accuracy": accuracy, "minutes": 1.0 + number, "milliseconds": 9.0 - number}
    for number, accuracy in enumerate((0.7, 0.9, 0.8))
]
ROWS = [{"reviews": "films", "classifier": "TF-IDF", "accuracy": 0.9, "low": 0.8, "high": 0.95, "n": 480}]


def words(drawn: str) -> set[str]:
    return {"".join(element.itertext()) for element in ElementTree.fromstring(drawn).iter() if element.text}


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        (heat_map(CELLS), {"films", "books", "restaurants", "fine-tuned", "TF-IDF", "0.80", "tested on"}),
        (pareto(POINTS), {"variant 0", "variant 1", "variant 2", "minutes of training"}),
        (generalization(ROWS), {"films", "TF-IDF", "accuracy"}),
    ],
    ids=["heat map", "Pareto", "generalization"],
)
def test_a_chart_shows_what_it_is_about_in_the_colour_of_the_text_around_it(
    spec: dict[str, Any], shown: set[str]
) -> None:
    drawn = svg(spec, "a")

    assert shown <= words(drawn)
    assert 'fill="currentColor"' in drawn
    assert drawn == svg(spec, "a")
    assert "currentColor" not in svg(spec, "a", ink="#222")


def test_points_that_lie_together_have_their_labels_on_lines_of_their_own() -> None:
    together = [{"variant": str(n), "accuracy": 0.9 + n / 10_000, "minutes": 1 + n / 100} for n in range(3)]
    apart = {"variant": "apart", "accuracy": 0.8, "minutes": 1.0}

    levels = {point["variant"]: point["level"] for point in with_room([*together, apart], "minutes")}

    assert levels["apart"] == 0
    assert len({levels[point["variant"]] for point in together}) == 3


def test_charts_on_one_page_share_no_names() -> None:
    names = [set(re.findall(r'\bid="([^"]+)"', svg(heat_map(CELLS), prefix))) for prefix in ("a", "b")]

    assert names[0]
    assert not names[0] & names[1]
    assert set(re.findall(r"url\(#([^)]+)\)", svg(heat_map(CELLS), "a"))) <= names[0]


@given(
    points=st.lists(
        st.fixed_dictionaries({"accuracy": st.integers(0, 5), "minutes": st.integers(1, 5)}), min_size=1, max_size=12
    )
)
def test_the_front_holds_what_no_variant_beats_and_nothing_else(points: list[dict[str, Any]]) -> None:
    front = best_for_their_cost(points, "minutes")

    def beaten(point: dict[str, Any]) -> bool:
        return any(
            other["accuracy"] >= point["accuracy"] and other["minutes"] <= point["minutes"] and other != point
            for other in points
        )

    expected = {(point["minutes"], point["accuracy"]) for point in points if not beaten(point)}
    assert [(point["minutes"], point["accuracy"]) for point in front] == sorted(expected)


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


def test_what_was_not_measured_says_how_to_measure_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    section = content._measured("Models", "benchmarks/models.json", "make models", lambda _: pytest.fail("it is not"))

    assert section == Section("Models", "Not measured yet: `make models` does it.")


def test_every_plot_of_dvc_is_drawn_without_the_name_of_its_only_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    plots = dvc_plots()

    assert {"plots/evaluate/confusion.json", "plots/evaluate/slices.json", "plots/tokenizers.json"} <= set(plots)
    for file in ("plots/evaluate/confusion.json", "plots/evaluate/slices.json"):
        assert "workspace" not in words(svg(plots[file], "a"))


def test_the_page_of_dvc_plots_loads_scripts_of_this_folder_only() -> None:
    template = (ROOT / ".dvc/plots/page.html").read_text(encoding="utf-8")

    assert re.findall(r'src="([^"]+)"', template) == ["../.dvc/tmp/vega.js"]
    assert "{plot_divs}" in template
    assert "{scripts}" not in template


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
    Path(content.MODELS).write_text(json.dumps(models), encoding="utf-8")
    Path(content.TRANSFER).write_text(json.dumps({"train_on": {"books, 160": row}}), encoding="utf-8")
    text = page([content._models("M"), content._transfer("T")], "title", "origin")

    assert re.search(r"<td>linear head only</td>\s*<td>0.900 \(0.850 to 0.940\)</td>\s*<td>0.800", text)
    assert re.search(r"<td>3.2</td>\s*<td>1,024</td>\s*<td>22.0</td>\s*<td>0.00</td>\s*<td>7 \(7 to 8\)</td>", text)
    assert "<td>0.900 / 0.700</td>" in text
    assert text.count("<svg") == 2
