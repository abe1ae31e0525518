"""The benchmark behind docs/training.md: what it changes, what it keeps of a curve, what its splits share: nothing."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pydantic import ValidationError

from benchmarks import learning_curves
from benchmarks.learning_curves import PLAN, change_params, curve, splits
from sentiment.core.parquet import write_parquet
from sentiment.core.schemas import read_yaml
from sentiment.reviews.selection import content_id
from tests.report.documents import ROOT


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_trial_of_the_plan_is_legal() -> None:
    plan = read_yaml(PLAN)

    for change in plan["trials"]:
        assert change_params({**plan["base"], **change}) != change_params(plan["base"]) or not change


def test_an_illegal_value_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal"):
        change_params({"train.lr": 2.0})


def test_a_long_curve_is_kept_as_the_means_of_its_stretches(tmp_path: Path) -> None:
    file = tmp_path / "plots/metrics/train/loss.tsv"
    file.parent.mkdir(parents=True)
    pd.DataFrame({"step": [1, 2, 3, 4], "loss": [4.0, 2.0, 1.0, 0.0]}).to_csv(file, sep="\t", index=False)

    assert curve(tmp_path, "train/loss", 2) == {"step": [1.5, 3.5], "value": [3.0, 0.5]}
    assert curve(tmp_path, "train/loss", 9)["value"] == [4, 2, 1, 0]


def test_what_is_near_a_validation_review_is_not_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"This is review number {number} of a film called {number * number}." for number in range(40)]
    texts += [text.replace("film", "FILM,") for text in texts]
    reviews = pa.table({"text": texts, "label": pa.array([0, 1] * 40, pa.int8())})
    reviews = reviews.append_column("id", pa.array([content_id(text) for text in texts]))
    for name, rows in (("train", reviews.slice(0, 60)), ("validation", reviews.slice(60))):
        write_parquet(tmp_path / f"{name}.parquet", rows)
    monkeypatch.setattr(learning_curves, "SUBSAMPLED", tmp_path)
    pool, held_out = splits(20, 1.0)

    assert len(held_out) == 20
    bare = {text.replace("FILM,", "film") for text in held_out.text}
    assert not bare & {text.replace("FILM,", "film") for text in pool.text}
    assert len(pool) < 60
