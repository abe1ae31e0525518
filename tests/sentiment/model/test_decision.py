from pathlib import Path
from typing import Any

import pytest

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.model.decision import Decision, load_decision


def test_a_model_without_the_file_decides_at_one_half_and_doubts_a_little_to_either_side(tmp_path: Path) -> None:
    assert load_decision(tmp_path) == Decision(threshold=0.5, low=0.35, high=0.65)
    assert Decision().positive([0.49, 0.5]).tolist() == [False, True]
    assert Decision().unsure([0.35, 0.36, 0.5, 0.64, 0.65]).tolist() == [False, True, True, True, False]


def test_a_saved_one_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "decision.json", {"threshold": 0.2, "low": 0.1, "high": 0.4})
    assert load_decision(tmp_path) == Decision(threshold=0.2, low=0.1, high=0.4)


def test_a_zone_that_ends_at_the_threshold_leaves_no_verdict_of_that_label_unsure() -> None:
    scores = [0.0, 0.29, 0.3, 0.31, 1.0]
    assert not Decision(threshold=0.3, low=0.3, high=0.3).unsure(scores).any()
    assert Decision(threshold=0.3, low=0.3, high=1).unsure(scores).tolist() == [False, False, True, True, False]
    assert Decision(threshold=0.3, low=0, high=0.3).unsure(scores).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"threshold": 1.0}, "threshold is 1.0, but must be less than 1"),
        ({"threshold": 0.2, "low": 0.3}, "it needs a threshold from low to high"),
        ({"treshold": 0.2}, "treshold is unknown: did you mean threshold?"),
    ],
)
def test_a_damaged_one_is_refused(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_json(tmp_path / "decision.json", content)
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        load_decision(tmp_path)
