"""The command that scores files."""

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from sentiment import predict
from sentiment.serving.predictor import Predictor
from tests.sentiment.scoring.files import Command


@pytest.fixture
def command(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command in an empty folder, as in `command("reviews.csv", "-o", "scored.csv")`."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["predict", *arguments, "--model", str(exported), "--threads", "1"])
            patch.setattr(sys, "stdout", sys.stdout)
            predict.main()

    return call


@pytest.fixture
def scores(exported: Path, toy_reviews: pa.Table) -> list[float]:
    return Predictor(exported).score_texts(toy_reviews["text"].to_pylist()).round(6).tolist()
