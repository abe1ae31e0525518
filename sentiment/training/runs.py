"""Several trainings from the same start, and the average of their weights (a model soup).

Trainings whose batches come in another order end in the same basin of the loss, each at another place near its rim. The
average lies deeper in it, and reads other kinds of reviews better than each of them, at the cost of one model
(Wortsman et al. 2022, arXiv:2203.05482; Rame et al. 2022, arXiv:2205.09739).
"""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from safetensors.torch import save_model
from transformers import PreTrainedModel, set_seed

from sentiment.core import processes
from sentiment.core.files import replacing, write_json
from sentiment.core.params import Params
from sentiment.text.encoding import Padding
from sentiment.training.averaging import take_average
from sentiment.training.fine_tune import fine_tune

WEIGHTS = "weights.safetensors"
METRICS = "metrics.json"
CURVES = "curves"
SUMMED = ("steps", "steps_asked", "best_step", "validations")


def fine_tune_several(
    model: PreTrainedModel,
    padding: Padding,
    train: pa.Table,
    validation: pa.Table,
    params: Params,
    *,
    checkpoints: Path,
    curves: Path,
) -> dict[str, Any]:
    """Fine-tune the model `train.runs` times, each with the next seed, and leave it with the average of the weights.

    Returns the metrics of `fine_tune`: steps are summed over the runs, and the validation is left out, as no single
    run's is that of the average. The curves are those of the first run. Resumes from what earlier processes left in
    `checkpoints`.
    """
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    finished = [checkpoints / f"finished-{run}" for run in range(params.train.runs)]
    for run, folder in enumerate(finished):
        if not processes.by_main(folder.exists):
            print(f"run {run + 1} of {params.train.runs}")
            places = {"checkpoints": checkpoints / f"run-{run}", "curves": checkpoints / "curves" if run else curves}
            seeded = params.model_copy(update={"seed": (params.seed + run) % 2**32})
            model.load_state_dict(start)
            # A run must draw the same random numbers whether or not this process has just trained the one before it.
            set_seed(seeded.seed)
            metrics = fine_tune(model, padding, train, validation, seeded, **places)
            processes.by_main(partial(_finish, folder, model, metrics, **places))
    take_average(model, [folder / WEIGHTS for folder in finished])
    # If an earlier process finished the first run, its curves are not there yet.
    processes.by_main(lambda: shutil.copytree(finished[0] / CURVES, curves, dirs_exist_ok=True))
    runs = [json.loads((folder / METRICS).read_text(encoding="utf-8")) for folder in finished]
    sums = {name: sum(run[name] for run in runs) for name in SUMMED}
    return {name: sums.get(name, value) for name, value in runs[0].items() if name != "validation"}


def _finish(folder: Path, model: PreTrainedModel, metrics: dict[str, Any], *, checkpoints: Path, curves: Path) -> None:
    """Put what a run has found into a folder, and remove its checkpoints."""
    with replacing(folder) as temporary:
        temporary.mkdir()
        save_model(model, temporary / WEIGHTS)
        write_json(temporary / METRICS, metrics)
        shutil.copytree(curves, temporary / CURVES)
    shutil.rmtree(checkpoints)
