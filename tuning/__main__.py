"""Look for better parameters, judged by the validation reviews alone.

Reads   tuning.yaml or another plan, params.yaml, the pipeline as committed
Writes  studies/NAME/       the study's journal, its trials as trials.json, which `make report` shows, and their logs
        an experiment of DVC for each finished trial, NAME-0 and so on, which dvc exp show lists

    python -m tuning                            (make tune)
    python -m tuning plan.yaml --workers 2      (make tune PLAN=plan.yaml WORKERS=2)

The same command goes on with the study. More of them, on any machines that see the folder, work at it together.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.params import load_params
from sentiment.core.schemas import read_yaml
from tuning.space import Plan, changed, load_plan

if TYPE_CHECKING:
    from tuning.study import Study

PLAN = Path("tuning.yaml")
STUDIES = Path("studies")


def shared(plan: Plan, params: dict[str, Any]) -> dict[str, Any]:
    """Return what all trials of a study must have in common: the parameters that it does not change, and its lists."""
    lists = {name: choice for name, choice in plan.space.items() if isinstance(choice, list)}
    fixed = changed(params, plan.base | dict.fromkeys(plan.space), "base")
    result: dict[str, Any] = json.loads(json.dumps({**fixed, "space": lists}))
    return result


def tell(study: "Study") -> None:
    """Print how the trials ended, the best of them, and what to do with it."""
    found = study.found()
    print(", ".join(f"{number} {state}" for state, number in sorted(study.states().items())) or "no trial has ended")
    if running := study.running():
        print(f"{running} still running, in another worker or after one was killed: run the same command again")
    if not found["best"]:
        return
    best = next(trial for trial in found["trials"] if trial["experiment"] == found["best"])
    print(f"best: {best['experiment']}, log loss {best['log_loss']:.4f}, with")
    for name, value in best["changes"].items():
        print(f"  {name}: {value}")
    print(f"dvc exp apply {best['experiment']}    takes its parameters, those of base too, and its model")
    print("dvc exp show --only-changed    lists all trials; make report shows what mattered")


def main() -> None:
    parser = ArgumentParser("tuning")
    parser.add_argument("plan", nargs="?", type=Path, default=PLAN)
    parser.add_argument("--workers", type=int, default=1, help="processes that try at the same time")
    arguments = parser.parse_args()
    if arguments.workers < 1:
        raise UserError(f"--workers is {arguments.workers}, but must be 1 or more")
    if not find_spec("optuna"):
        raise UserError("tuning needs Optuna: python -m pip install --requirement requirements-scale.txt")
    load_params()
    params = read_yaml("params.yaml")
    plan = load_plan(arguments.plan, params)

    from tuning.experiment import run_experiment
    from tuning.study import Study

    study = Study(plan, STUDIES / plan.study, shared(plan, params))
    command = [sys.executable, "-m", "tuning", str(arguments.plan)]
    others = [subprocess.Popen(command, start_new_session=True) for _ in range(arguments.workers - 1)]
    try:
        study.work(lambda task: run_experiment(task, plan.base, study.folder))
        for worker in others:
            worker.wait()
        # What a worker that was killed has left.
        study.work(lambda task: run_experiment(task, plan.base, study.folder))
    finally:
        for worker in others:
            worker.terminate()
        for worker in others:
            worker.wait()
    tell(study)


if __name__ == "__main__":
    run(main, "tuning")
