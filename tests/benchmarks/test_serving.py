from benchmarks.serving import ratios


def test_ratios_are_those_within_each_turn() -> None:
    ours = [{"single_ms": 1.0, "reviews_per_second": 90.0}, {"single_ms": 2.0, "reviews_per_second": 40.0}]
    theirs = [{"single_ms": 6.0, "reviews_per_second": 30.0}, {"single_ms": 10.0, "reviews_per_second": 10.0}]

    assert ratios(ours, theirs) == {
        "single": {"median": 5.5, "low": 5.0, "high": 6.0},
        "batch": {"median": 3.5, "low": 3.0, "high": 4.0},
    }
