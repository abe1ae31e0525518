from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmarks.trials import Clone
from benchmarks.unequal_classes import BASE, CHANGES, KEPT, OWN, measure, rare_positives
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet, write_parquet

ROOT = Path(__file__).resolve().parents[2]


def test_every_change_is_a_legal_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    clone = Clone(tmp_path)
    for change in CHANGES.values():
        clone.set(BASE | change | {"dataset": "airline.parquet"})
        assert load_params(tmp_path / "params.yaml").evaluate.threshold == "fitted"


def test_one_in_twenty_of_the_cut_is_positive_and_no_negative_review_is_lost() -> None:
    reviews = read_parquet(ROOT / OWN, ["text", "label"])
    cut = rare_positives(reviews)

    assert pc.mean(cut["label"]).as_py() == pytest.approx(0.05, abs=0.0005)
    assert cut.num_rows - pc.sum(cut["label"]).as_py() == pc.sum(pc.equal(reviews["label"], 0)).as_py()
    assert cut.equals(rare_positives(reviews))
    assert cut.schema == pa.schema({"text": pa.string(), "label": pa.int8()})


def test_the_same_scores_are_judged_at_one_half_and_at_the_models_threshold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clone, "reproduce", lambda *_: None)
    scored = pa.table({"label": pa.array([1, 1, 0, 0], pa.int8()), "score": [0.9, 0.4, 0.2, 0.1]})
    write_parquet(tmp_path / "data/predictions/test.parquet", scored)
    write_json(tmp_path / "models/sentiment/decision.json", {"threshold": 0.3, "low": 0.1, "high": 0.9})

    found = measure(Clone(tmp_path))
    assert found["threshold"] == 0.3
    assert (found["half"]["balanced_accuracy"], found["fitted"]["balanced_accuracy"]) == (0.75, 1)
    assert set(found["half"]) == set(found["fitted"]) == set(KEPT)
