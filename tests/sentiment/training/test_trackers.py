"""Trackers beside DVCLive: which are legal, where they write, and what they change: nothing."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from sentiment.core.errors import UserError
from sentiment.core.params import Params, Train
from sentiment.training import trackers
from tests.sentiment.training.bench import Bench


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("none", []),
        (["none"], []),
        ([], []),
        ("mlflow", ["mlflow"]),
        (["tensorboard", "wandb"], ["tensorboard", "wandb"]),
    ],
)
def test_trackers_are_none_one_or_several(params_with: Callable[..., Params], given: Any, meant: list[str]) -> None:
    assert params_with(train={"report_to": given}).train.report_to == meant


@pytest.mark.parametrize("given", ["tensorbord", ["mlflow", "none"], 1])
def test_another_tracker_is_refused(params_with: Callable[..., Params], given: Any) -> None:
    with pytest.raises(ValidationError):
        params_with(train={"report_to": given})


def test_no_tracker_decides_the_result(params_with: Callable[..., Params]) -> None:
    def decisive(**train: Any) -> dict[str, Any]:
        chosen: Train = params_with(train=train).train
        return chosen.decisive

    assert decisive(report_to="wandb") == decisive(report_to="none")
    assert decisive(report_to="wandb", over_time="shorten") == decisive(report_to="none", over_time="shorten")


def test_a_tracker_that_is_not_installed_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: find_spec("os") if name == "mlflow" else None)

    with pytest.raises(UserError, match=r"python -m pip install tensorboard wandb, or train\.report_to: none$"):
        trackers.prepare(["tensorboard", "mlflow", "wandb"])


def test_trackers_write_below_logs_unless_the_environment_names_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trackers.os, "environ", environment := {"MLFLOW_TRACKING_URI": "http://tracking"})
    trackers.prepare([])

    assert environment["MLFLOW_TRACKING_URI"] == "http://tracking"
    assert environment["WANDB_MODE"] == "offline"
    assert Path(environment["WANDB_DIR"]) == tmp_path / "logs"
    assert Path(environment["TENSORBOARD_LOGGING_DIR"]).parent == tmp_path / "logs/tensorboard"


WRITTEN = {
    "tensorboard": "tensorboard/*/events.out.*",
    "mlflow": "mlflow.db",
    "wandb": "wandb/offline-run-*/*.wandb",
}


@pytest.mark.parametrize("tracker", WRITTEN)
def test_a_tracker_that_is_installed_follows_the_training_and_changes_no_bit(
    bench: Bench, tiny: Callable[..., Params], tracker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tracker != "tensorboard":  # the others bring dozens of packages, and are no test's need
        pytest.importorskip(tracker)
    monkeypatch.chdir(bench.folder)
    plain, metrics = bench.train(tiny(), "plain")
    for name in ("TENSORBOARD_LOGGING_DIR", "MLFLOW_TRACKING_URI", "WANDB_DIR", "WANDB_MODE"):
        # So that what prepare sets is unset again.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    trackers.prepare([tracker])
    followed, same = bench.train(tiny(report_to=tracker), "followed")

    assert same == metrics
    assert bench.curves("followed") == bench.curves("plain")
    assert all(map(torch.equal, followed.state_dict().values(), plain.state_dict().values()))
    assert list(bench.folder.glob(f"logs/{WRITTEN[tracker]}"))
    assert {path.name for path in bench.folder.iterdir()} == {"logs", "plain", "followed"}
