"""The charts show what they are about, legibly, and the front of the best is right."""

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.charts import best_for_their_cost, generalization, heat_map, pareto, with_room
from report.vega import svg

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
