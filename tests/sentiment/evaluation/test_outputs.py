import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sentiment.core.parquet import read_parquet
from sentiment.evaluation.outputs import write_evaluation
from sentiment.evaluation.selective import selective
from sentiment.metrics import evaluate

REVIEWS = pa.table({"id": ["a", "b", "c", "d"], "label": pa.array([1, 0, 1, 0], pa.int8()), "input_ids": [[1]] * 4})
SCORES = np.array([0.91234567, 0.1, 0.49999999, 0.3])


def evaluated(folder: Path, scores: np.ndarray = SCORES) -> dict[str, bytes]:
    """Return the bytes of every file that an evaluation writes."""
    places = {"metrics": folder / "m" / "e.json", "predictions": folder / "p" / "e.parquet", "plots": folder / "plots"}
    write_evaluation(REVIEWS, scores, **places)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_metrics_predictions_and_four_plots_are_written(tmp_path: Path) -> None:
    files = evaluated(tmp_path)
    assert sorted(files) == [
        "m/e.json",
        "p/e.parquet",
        "plots/confusion.json",
        "plots/reliability.json",
        "plots/risk_coverage.json",
        "plots/roc.json",
    ]
    confusion = json.loads(files["plots/confusion.json"])
    assert [cell["count"] for cell in confusion] == [2, 0, 0, 2]
    for plot, columns in {
        "confusion": {"actual", "predicted", "count"},
        "reliability": {"confidence", "accuracy", "count"},
        "roc": {"false_positive_rate", "true_positive_rate"},
        "risk_coverage": {"coverage", "accuracy"},
    }.items():
        assert all(set(point) == columns for point in json.loads(files[f"plots/{plot}.json"]))


def test_predictions_hold_id_label_and_score_in_the_reviews_order(tmp_path: Path) -> None:
    evaluated(tmp_path)
    predictions = read_parquet(tmp_path / "p/e.parquet", ["id", "label", "score"])
    assert predictions.column_names == ["id", "label", "score"]
    assert predictions["id"].to_pylist() == ["a", "b", "c", "d"]
    assert predictions["score"].to_pylist() == [0.912346, 0.1, 0.5, 0.3]


def test_the_metrics_are_those_of_the_predictions_as_written(tmp_path: Path) -> None:
    files = evaluated(tmp_path)
    predictions = read_parquet(tmp_path / "p/e.parquet", ["label", "score"])
    written = predictions["label"].to_numpy(), predictions["score"].to_numpy()
    expected = evaluate(*written) | selective(*written)
    assert json.loads(files["m/e.json"]) == pytest.approx(expected, abs=1e-6)
    assert json.loads(files["m/e.json"])["accuracy"] == 1


def test_the_scores_before_calibration_add_how_well_calibrated_they_were(tmp_path: Path) -> None:
    places = {"metrics": tmp_path / "e.json", "predictions": tmp_path / "e.parquet", "plots": tmp_path / "plots"}
    before = np.array([0.99, 0.01, 0.02, 0.03])
    returned = write_evaluation(REVIEWS, SCORES, **places, uncalibrated=before)

    metrics = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    expected = evaluate(REVIEWS["label"].to_numpy(), before)
    assert metrics["uncalibrated"] == pytest.approx(
        {name: expected[name] for name in ("ece", "brier", "log_loss")}, abs=1e-6
    )
    assert metrics["ece"] == pytest.approx(evaluate(REVIEWS["label"].to_numpy(), returned)["ece"], abs=1e-6)
    assert returned.tolist() == [0.912346, 0.1, 0.5, 0.3]


def test_a_threshold_and_a_zone_of_doubt_change_verdicts_and_add_what_the_sure_ones_are_worth(tmp_path: Path) -> None:
    places = {"metrics": tmp_path / "e.json", "predictions": tmp_path / "e.parquet", "plots": tmp_path / "plots"}
    write_evaluation(REVIEWS, SCORES, **places, threshold=0.2, unsure=lambda scores: scores == 0.3)

    metrics = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    assert (metrics["accuracy"], metrics["sure"]) == (0.75, {"coverage": 0.75, "accuracy": 1})
    confusion = json.loads((tmp_path / "plots/confusion.json").read_text(encoding="utf-8"))
    assert [cell["count"] for cell in confusion] == [1, 1, 0, 2]


def test_scores_that_differ_beyond_the_sixth_digit_give_the_same_bytes(tmp_path: Path) -> None:
    assert evaluated(tmp_path / "one") == evaluated(tmp_path / "other", SCORES + 1e-9)
    assert evaluated(tmp_path / "float32", SCORES.astype(np.float32)) == evaluated(tmp_path / "again")


def test_a_line_for_people_sums_it_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluated(tmp_path)
    assert capsys.readouterr().out == "accuracy 1.000 (0.510 to 1.000), F1 1.000, ROC-AUC 1.000, ECE 0.247, n 4\n"
