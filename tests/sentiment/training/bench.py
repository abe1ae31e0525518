"""Trainings of a tiny model, as many as a test likes."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from transformers import PreTrainedModel, set_seed

from sentiment.core.params import Params
from sentiment.text.encoding import Padding
from sentiment.training.budget import TimeLimit
from sentiment.training.build import build
from sentiment.training.fine_tune import fine_tune
from sentiment.training.runs import fine_tune_several

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerFast

TINY = {
    "epochs": 2,
    "lr": 5e-3,
    "batch_size": 8,
    "warmup_share": 0.0,
    "dropout": 0.1,
    "freeze": "none",
    "validations_per_epoch": 2,
    "max_minutes": 60,
}


class Bench:
    """Trains the tiny model on the toy reviews within a folder of its own, as often as the test likes."""

    def __init__(self, folder: Path, pretrained: Path, tokenizer: "PreTrainedTokenizerFast", reviews: pa.Table) -> None:
        self.folder, self.pretrained, self.tokenizer, self.reviews = folder, pretrained, tokenizer, reviews
        self.padding: Callable[..., Any] = Padding.of(tokenizer)

    def train(self, params: Params, name: str, validation: pa.Table | None = None) -> tuple[PreTrainedModel, dict]:
        set_seed(params.seed)
        model = build(self.pretrained, self.tokenizer, params.train)
        places = {"checkpoints": self.checkpoints(name), "curves": self.folder / name / "curves"}
        fit = fine_tune if params.train.runs == 1 else fine_tune_several
        metrics = fit(model, self.padding, self.reviews, validation or self.reviews, params, **places)
        return model, metrics

    def interrupt(self, params: Params, name: str, step: int) -> None:
        """Train until Ctrl-C comes at the end of a step, before what is due then is saved."""

        def on_step_end(*args: Any, **kwargs: Any) -> None:
            if args[2].global_step == step:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TimeLimit, "on_step_end", on_step_end)
            with pytest.raises(KeyboardInterrupt):
                self.train(params, name)

    def checkpoints(self, name: str) -> Path:
        return self.folder / name / "checkpoints"

    def curves(self, name: str) -> dict[str, str]:
        folder = self.folder / name / "curves"
        return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}

    def curve(self, name: str, curve: str) -> list[float]:
        text = self.curves(name)[f"plots/metrics/{curve}.tsv"]
        return [float(row[curve.rpartition("/")[2]]) for row in csv.DictReader(text.splitlines(), delimiter="\t")]
