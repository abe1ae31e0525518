"""evaluate and behaviour on a tiny model, as DVC runs them: in a folder, from files to files."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from sentiment.core.params import load_params
from sentiment.evaluation.scorer import Scorer
from sentiment.metrics import evaluate as figures_of
from sentiment.metrics import scores_of
from stages import behaviour, evaluate
from tests.conftest import ROOT
from tests.stages.conftest import read


def written(folder: Path) -> dict[str, bytes]:
    places = [folder / "metrics", folder / "plots", folder / "data/predictions"]
    files = [path for place in places for path in sorted(place.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_evaluate_tells_calibration_before_and_after_slices_and_errors(model: Path) -> None:
    evaluate.main()

    assert {"data/predictions/errors.md", "plots/evaluate/slices.json"} <= set(written(Path()))
    test = pq.read_table("data/tokenized/test.parquet")
    labels = test["label"].to_numpy()
    logits = Scorer(model, load_params()).logits(test["input_ids"].to_pylist())
    metrics = read("metrics/evaluate.json")
    for found, temperature in ((metrics, 1.0), (metrics["uncalibrated"], 1 / 1.5)):
        expected = figures_of(labels, scores_of(logits / temperature))
        assert {name: found[name] for name in ("ece", "brier", "log_loss")} == pytest.approx(
            {name: expected[name] for name in ("ece", "brier", "log_loss")}, abs=1e-5
        )
    slices = {point["slice"]: point["n"] for point in read("plots/evaluate/slices.json")}
    assert slices["truncated: yes"] == sum(tokens > 8 for tokens in test["tokens"].to_pylist()) > 0
    assert slices["truncated: yes"] + slices["truncated: no"] == 64
    wrong = round(64 * (1 - metrics["accuracy"]))
    assert f"{wrong} of 64 reviews were labelled wrongly" in Path("data/predictions/errors.md").read_text(
        encoding="utf-8"
    )


def test_evaluate_and_behaviour_write_the_same_bytes_again(model: Path) -> None:
    runs = []
    for _ in range(2):
        evaluate.main()
        behaviour.main()
        runs.append(written(Path()))

    assert runs[0] == runs[1]


def test_behaviour_writes_every_case_and_the_rates_that_follow_from_them(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behaviour.main()

    rates = read("metrics/behaviour.json")
    tried = pq.read_table("data/predictions/behaviour.parquet").to_pandas()
    assert rates == pytest.approx(tried.groupby("capability").failed.mean().to_dict(), abs=1e-6)
    checks = {check["check"]: (check["n"], check["failure_rate"]) for check in read("plots/behaviour.json")}
    grouped = tried.groupby(["capability", "kind", "check"]).failed.agg(["size", "mean"])
    expected = {
        f"{capability}: {kind} {name}": (size, mean) for (capability, kind, name), (size, mean) in grouped.T.items()
    }
    assert {name: n for name, (n, _) in checks.items()} == {name: n for name, (n, _) in expected.items()}
    assert [rate for _, rate in checks.values()] == pytest.approx([expected[name][1] for name in checks], abs=1e-6)
    assert "negation: " in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_share_the_reviews_and_write_the_same_bytes(model: Path, toy_reviews: pa.Table) -> None:
    Path("data/cross").mkdir()
    pq.write_table(toy_reviews, "data/cross/others.parquet")
    pq.write_table(pa.table({"text": ["nothing of the kind"], "label": [1]}), "data/subsampled/train.parquet")
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["cross_datasets"] = ["others"]
    params["evaluate"]["batch_size"] = 8
    found = []
    for processes in (1, 2):
        params["train"]["processes"] = processes
        yaml.dump(params, Path("params.yaml"))
        for stage in ("evaluate", "cross_dataset_evaluate"):
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                [sys.executable, "-m", f"stages.{stage}"], env=environment, capture_output=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert done.stderr.count(b": done in ") == 1
        found.append(written(model.parents[1]))

    assert found[0] == found[1]
    assert "metrics/cross/others.json" in found[0]
