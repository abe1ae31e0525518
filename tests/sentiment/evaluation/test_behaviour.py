import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from sentiment.core.errors import UserError
from sentiment.evaluation.behaviour import (
    CASES,
    REWRITES,
    Behaviour,
    cases,
    failure_rates,
    load_behaviour,
    score_cases,
)
from sentiment.metrics import wilson

FILE = Path(__file__).parents[3] / "sentiment/evaluation/behaviour.yaml"


def at_random(texts: list[str]) -> np.ndarray:
    return np.array([int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) / 65535 for text in texts])


def counting(texts: list[str]) -> np.ndarray:
    """Score by the number of praising words less that of blaming ones."""
    praise, blame = (np.array([len(re.findall(words, text)) for text in texts]) for words in ("good|great", "bad"))
    return 1 / (1 + np.exp(-(praise - blame).astype(float)))


def behaviour(*checks: dict[str, Any], **words: list[str]) -> Behaviour:
    defaults = {"capability": "c", "name": "n"}
    return Behaviour.model_validate({"words": words, "checks": [defaults | check for check in checks]})


def test_the_projects_checks_try_many_capabilities_with_thirty_cases_or_more_each_and_all_three_kinds() -> None:
    found = score_cases(load_behaviour(FILE), at_random)

    counts = found.groupby("capability").size()
    assert len(counts) >= 5
    assert counts.min() >= 30
    assert set(found.kind) == {"MFT", "INV", "DIR"}
    assert not found.duplicated(["check", "review", "changed"]).any()


def test_every_pair_of_the_projects_checks_differs_and_no_slot_is_left_open() -> None:
    found = score_cases(load_behaviour(FILE), at_random)

    pairs = found[found.kind != "MFT"]
    assert (pairs.review != pairs.changed).all()
    assert not found.review.str.contains(r"[{}]").any()


def test_every_word_of_the_projects_checks_is_used() -> None:
    text = FILE.read_text(encoding="utf-8")

    assert [slot for slot in load_behaviour(FILE).words if f"{{{slot}}}" not in text] == []


def test_a_known_label_that_is_missed_is_a_failure() -> None:
    check = {"kind": "MFT", "label": "positive", "reviews": ["a {x} film"]}
    found = score_cases(behaviour(check, x=["good", "bad", "great"]), counting)

    assert dict(zip(found.review, found.failed, strict=True)) == {
        "a good film": False,
        "a bad film": True,
        "a great film": False,
    }
    assert set(found.label) == {1}
    assert found.changed_score.isna().all()


def test_a_change_that_does_not_matter_fails_where_it_moves_the_verdict() -> None:
    check = {"kind": "INV", "pairs": [["{x}", "{x} good"]]}
    found = score_cases(behaviour(check, x=["good", "bad", "bad bad"]), counting).set_index("review")

    # "bad good" scores 0.5, which is positive.
    assert found.failed.to_dict() == {"good": False, "bad": True, "bad bad": False}
    assert found.changed.to_dict() == {"good": "good good", "bad": "bad good", "bad bad": "bad bad good"}


def test_a_change_that_speaks_for_a_label_fails_only_where_the_score_moves_away_from_it() -> None:
    checks = [
        {"kind": "DIR", "name": label, "label": label, "pairs": [["film", "film {x}"]]}
        for label in ("positive", "negative")
    ]
    found = score_cases(behaviour(*checks, x=["good", "bad", "long"]), counting)

    failed = {(row.check, row.changed) for row in found[found.failed].itertuples()}
    assert failed == {("positive", "film bad"), ("negative", "film good")}


@pytest.mark.parametrize(
    ("rewrite", "changed"),
    [
        ("letters swapped", "It was a wonedrful film, wasn't it?"),
        ("letter lost", "It was a wondrful film, wasn't it?"),
        ("capitals", "IT WAS A WONDERFUL FILM, WASN'T IT?"),
        ("no punctuation", "it was a wonderful film wasn't it"),
    ],
)
def test_a_rewriting_changes_the_spelling_only(rewrite: str, changed: str) -> None:
    check = {"kind": "INV", "rewrite": rewrite, "reviews": ["It was a wonderful film, wasn't it?"]}
    (case,) = cases(behaviour(check))

    assert case["changed"] == changed


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_text_of_short_words_or_none_survives_every_rewriting(rewrite: str) -> None:
    for text in ("", "!!!", "a b c", "so so"):
        assert isinstance(REWRITES[rewrite](text), str)


def test_templates_share_the_cases_and_other_words_do_not_move_the_drawn_ones() -> None:
    letters = [f"{first}{second}" for first in "abcdefgh" for second in "abcdefgh"]
    check = {"kind": "MFT", "label": "positive", "reviews": ["one {x}", "two {x}", "three"]}
    drawn = [case["review"] for case in cases(behaviour(check, x=letters))]

    assert [sum(review.startswith(start) for review in drawn) for start in ("one", "two", "three")] == [10, 10, 1]
    assert CASES == 30
    fewer = [case["review"] for case in cases(behaviour(check, x=letters[::-1][1:]))]
    assert len(set(fewer) - set(drawn)) <= 2


def test_rates_are_given_for_each_capability_and_check_with_interval_and_number() -> None:
    checks = [
        {"kind": "MFT", "name": "one", "label": "positive", "reviews": ["{x}"]},
        {"kind": "INV", "name": "two", "pairs": [["{x}", "{x} film"]]},
    ]
    capabilities, checked = failure_rates(score_cases(behaviour(*checks, x=["good", "bad"]), counting))

    low, high = wilson(1, 4)
    assert capabilities == {"c": {"failure_rate": 0.25, "failure_rate_low": low, "failure_rate_high": high, "n": 4}}
    assert [(name, rate["failure_rate"], rate["n"]) for name, rate in checked.items()] == [
        ("c: INV two", 0, 2),
        ("c: MFT one", 0.5, 2),
    ]


def test_the_same_checks_give_the_same_cases() -> None:
    assert list(cases(load_behaviour(FILE))) == list(cases(load_behaviour(FILE)))


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"kind": "MFT", "reviews": ["a"]}, "needs label and reviews as it is MFT"),
        ({"kind": "INV", "reviews": ["a"]}, "needs pairs or reviews and rewrite as it is INV"),
        ({"kind": "DIR", "pairs": [["a", "b"]]}, "needs label and pairs as it is DIR"),
        ({"kind": "ABC", "reviews": ["a"]}, "kind is 'ABC', but must be 'MFT', 'INV' or 'DIR'"),
        ({"kind": "INV", "pairs": [["a"]]}, r"pairs\.0 is \['a'\]"),
        ({"kind": "INV", "pairs": [["a", "b {y}"]]}, "'b {y}' has the slot y, for which there are no words"),
    ],
)
def test_a_check_that_can_not_be_carried_out_is_refused(check: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "behaviour.yaml"
    YAML().dump({"words": {"x": ["a"]}, "checks": [{"capability": "c", "name": "n"} | check]}, file)

    with pytest.raises(UserError, match=message):
        load_behaviour(file)
