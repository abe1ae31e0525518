import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.evaluation.slices import BANDS, errors, members, slices
from sentiment.metrics import wilson


def values_of(text: str, *, truncated: bool = False) -> dict[str, str]:
    """Return the value that a text has of each property."""
    found = members(pd.Series([text]), np.array([truncated]))
    return {name: next(value for value, rows in values.items() if rows[0]) for name, values in found.items()}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("I did not like it", "negation", "with"),
        ("I didn't like it", "negation", "with"),
        ("I didn\u2019t like it", "negation", "with"),
        ("NOTHING works", "negation", "with"),
        ("a note on another knot", "negation", "without"),
        ("slow, but good", "contrast word", "with"),
        ("Although slow, good", "contrast word", "with"),
        ("a butler and a button", "contrast word", "without"),
        ("an AWFUL film", "word in capitals", "with"),
        ("a DVD for my TV", "word in capitals", "without"),
        ("word " * 20, "words", "1-20"),
        ("word " * 21, "words", "21-50"),
        ("word " * 200, "words", "101-200"),
        ("word " * 201, "words", "over 200"),
        ("word " * 100_000, "words", "over 200"),
    ],
)
def test_a_review_falls_into_the_slice_that_it_belongs_to(text: str, name: str, value: str) -> None:
    assert values_of(text)[name] == value


def test_truncation_is_what_the_caller_says() -> None:
    assert values_of("a", truncated=True)["truncated"] == "yes"
    assert values_of("a")["truncated"] == "no"


@given(st.lists(st.tuples(st.text(min_size=1), st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_the_slices_of_each_property_hold_every_review_once(rows: list[tuple[str, bool, bool]]) -> None:
    text, correct, truncated = zip(*rows, strict=True)
    found = slices(pd.Series(text), np.array(correct), np.array(truncated))
    for property_ in {name.partition(":")[0] for name in found}:
        values = [figures for name, figures in found.items() if name.startswith(f"{property_}:")]
        assert sum(figures["n"] for figures in values) == len(rows)
        assert sum(figures["accuracy"] * figures["n"] for figures in values) == pytest.approx(sum(correct))


def test_a_slice_has_its_accuracy_and_interval_and_an_empty_one_is_left_out() -> None:
    text = pd.Series(["not good", "not bad", "never", "fine"])
    found = slices(text, np.array([True, False, True, True]), np.zeros(4, bool))
    low, high = wilson(2, 3)
    assert found["negation: with"] == {"accuracy": 2 / 3, "accuracy_low": low, "accuracy_high": high, "n": 3}
    assert found["negation: without"]["n"] == 1
    assert [name for name in found if name.startswith(("words", "truncated"))] == ["words: 1-20", "truncated: no"]


def test_slices_by_length_come_in_the_order_of_the_bands() -> None:
    text = pd.Series(["word " * 300, "word", "word " * 60])
    found = slices(text, np.ones(3, bool), np.zeros(3, bool))
    assert [name for name in found if name.startswith("words")] == ["words: 1-20", "words: 51-100", "words: over 200"]
    assert len(BANDS) == 5


REVIEWS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "text": ["fine", "a *dull*\nfilm | <b>", "good", "bad"],
        "label": [1, 0, 0, 1],
        "score": [0.9, 0.7, 0.5, 0.01],
    }
)


def test_errors_are_listed_surest_first_and_quoted_as_they_are() -> None:
    assert errors(REVIEWS).splitlines() == [
        "# The most confident errors",
        "",
        "3 of 4 reviews were labelled wrongly; listed are 3, the surest first.",
        "",
        "- **negative, 0.990** but labelled positive (d): bad",
        r"- **positive, 0.700** but labelled negative (b): a \*dull\* film \| \<b\>",
        "- **positive, 0.500** but labelled negative (c): good",
    ]


def test_errors_are_those_of_the_models_threshold_and_as_sure_as_their_verdict() -> None:
    listed = errors(REVIEWS, 0.95).splitlines()[4:]
    assert [line.partition(":")[0] for line in listed] == [
        "- **negative, 0.990** but labelled positive (d)",
        "- **negative, 0.100** but labelled positive (a)",
    ]


def test_a_model_without_errors_has_none_listed() -> None:
    assert "0 of 1 reviews were labelled wrongly; listed are 0" in errors(REVIEWS[:1])
