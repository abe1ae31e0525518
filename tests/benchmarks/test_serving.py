from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.scoring import write_graph
from benchmarks.serving import ratios


def test_ratios_are_those_within_each_turn() -> None:
    ours = [{"single_ms": 1.0, "reviews_per_second": 90.0}, {"single_ms": 2.0, "reviews_per_second": 40.0}]
    theirs = [{"single_ms": 6.0, "reviews_per_second": 30.0}, {"single_ms": 10.0, "reviews_per_second": 10.0}]

    assert ratios(ours, theirs) == {
        "single": {"median": 5.5, "low": 5.0, "high": 6.0},
        "batch": {"median": 3.5, "low": 3.0, "high": 4.0},
    }


def test_the_model_that_costs_nothing_takes_reviews_as_the_exported_one_does(tmp_path: Path) -> None:
    write_graph(tmp_path / "model.onnx", 10)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    ids = np.array([[1, 2, 3]])
    (logits,) = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})

    assert logits.shape == (1, 2)
    assert np.ptp(logits) > 0
