"""The study that workers share: which trial is next, which is queued again, and what has been found.

Several processes, on any machines that see the folder, may work at one study. Each trial is claimed by a lock on a
file, which the system releases when its worker and the training that it started are gone; a trial that is neither
finished nor claimed is queued again.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import optuna
from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from tuning.space import Plan, suggest

FAILURES = 3
"""In a row, after which a worker gives up: what is wrong is then not the parameters."""


class UnfinishedError(UserError):
    """What kept a trial from its end is not its parameters: it is tried again, as often as the plan says."""


class Claim:
    """A lock on a trial; `descriptor` is to be inherited by the processes that must hold it too."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True)
class Task:
    """A trial to be run: its experiment's name, its parameters, and how to report a validation.

    `report` takes the validation's number and log loss, and says whether the trial should end there.
    """

    name: str
    changes: dict[str, Any]
    claim: Claim
    report: Callable[[int, float], bool]


class Study:
    """A study of Optuna in a folder, made or gone on with.

    `parameters` are those that all trials share; raises UserError where an earlier part of the study had others.
    """

    def __init__(self, plan: Plan, folder: Path, parameters: dict[str, Any]) -> None:
        self.plan = plan
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(folder / "lock")
        journal = str(folder / "journal.log")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        median = optuna.pruners.MedianPruner(n_startup_trials=plan.prune_after or 0)
        with self.lock:
            self.study = optuna.create_study(
                study_name=plan.study,
                storage=JournalStorage(JournalFileBackend(journal, lock_obj=JournalFileOpenLock(journal))),
                load_if_exists=True,
                direction="minimize",
                pruner=median if plan.prune_after else optuna.pruners.NopPruner(),
            )
            earlier = self.study.user_attrs.setdefault("parameters", parameters)
            if earlier != parameters:
                raise UserError(
                    f"the study {plan.study} was begun with other parameters, so its trials can't be compared "
                    f"({difference(earlier, parameters)}): give it another name, or remove {folder}"
                )
            self.study.set_user_attr("parameters", parameters)

    def work(self, run: Callable[[Task], float]) -> None:
        """Run trials until the study has as many as planned, or none that another worker does not have.

        Raises UserError after some failures in a row, with the last of them.
        """
        failures = 0
        while asked := self.ask():
            trial, task = asked
            with task.claim:
                try:
                    value = run(task)
                except optuna.TrialPruned:
                    self.study.tell(trial, state=TrialState.PRUNED)
                    print(f"{task.name}: stopped early, {_listed(task.changes)}", flush=True)
                    failures = 0
                except UserError as error:
                    if isinstance(error, UnfinishedError):
                        self._queue_again(self.study.trials[trial.number], attempt=_attempt(trial) + 1)
                    else:
                        self.study.tell(trial, state=TrialState.FAIL)
                    print(f"{task.name}: failed: {error}", flush=True)
                    failures += 1
                    if failures == FAILURES:
                        raise UserError(f"{FAILURES} trials in a row failed, the last with: {error}") from None
                except BaseException:
                    # Interrupted, not killed: that is no attempt of the trial's.
                    self._queue_again(self.study.trials[trial.number], attempt=_attempt(trial))
                    raise
                else:
                    self.study.tell(trial, value)
                    print(f"{task.name}: log loss {value:.4f}, {_listed(task.changes)}", flush=True)
                    failures = 0
            self.write()

    def ask(self) -> tuple[optuna.Trial, Task] | None:
        """Claim the next trial, one queued again first; return None where none is due."""
        with self.lock:
            self._adopt()
            # One that was queued again counts once.
            begun = {trial.user_attrs.get("experiment") for trial in self.study.trials} - {None}
            if len(begun) >= self.plan.trials and not self.study.get_trials(states=(TrialState.WAITING,)):
                return None
            # Each trial draws from the seed and its number, so that workers do not propose the same.
            self.study.sampler = optuna.samplers.TPESampler(seed=self.plan.seed + len(self.study.trials))
            trial = self.study.ask()
            claim = Claim(self._claim(trial.number))
            changes = suggest(trial, self.plan.space)
            name = trial.user_attrs.get("experiment", f"{self.plan.study}-{len(begun)}")
            trial.set_user_attr("changes", changes)
            trial.set_user_attr("experiment", name)

        def report(number: int, log_loss: float) -> bool:
            trial.report(log_loss, number)
            return trial.should_prune()

        return trial, Task(name, changes, claim, report)

    def _claim(self, number: int) -> Path:
        return self.folder / "claims" / str(number)

    def _adopt(self) -> None:
        """Queue again, or give up, the trials whose workers are gone."""
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            try:
                claim = Claim(self._claim(trial.number))
            except BlockingIOError:
                continue
            with claim:
                # Its worker may have been done just before.
                if self.study.trials[trial.number].state == TrialState.RUNNING:
                    self._queue_again(trial, attempt=_attempt(trial) + 1)

    def _queue_again(self, trial: FrozenTrial, attempt: int) -> None:
        if attempt <= self.plan.attempts:
            self.study.enqueue_trial(trial.params, user_attrs=trial.user_attrs | {"attempt": attempt})
        else:
            name = trial.user_attrs.get("experiment", trial.number)
            print(f"{name}: given up, as it did not come to its end {self.plan.attempts} times", flush=True)
        self.study.tell(trial.number, state=TrialState.FAIL)

    def write(self) -> None:
        """Write trials.json, which the report reads without Optuna."""
        with self.lock:
            write_json(self.folder / "trials.json", self.found())

    def found(self) -> dict[str, Any]:
        """Return the trials, those queued again left out, the best one's name, and how much each parameter matters."""
        # One that was queued again has its successor under the same name.
        newest = {trial.user_attrs.get("experiment"): trial for trial in self.study.trials}
        trials = [trial for name, trial in newest.items() if name and trial.state.is_finished()]
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        best = min(complete, key=lambda trial: trial.value or 0, default=None)
        return {
            "study": self.plan.study,
            "trials": [self._summary(trial) for trial in trials],
            "best": best.user_attrs["experiment"] if best else None,
            "importances": self._importances() if len(complete) > 1 else {},
        }

    def _importances(self) -> dict[str, float]:
        """Return how much of the log loss each parameter decides; empty where no trial differs."""
        try:
            return optuna.importance.get_param_importances(self.study)
        except RuntimeError:
            return {}

    def _summary(self, trial: FrozenTrial) -> dict[str, Any]:
        return {
            "number": trial.number,
            "experiment": trial.user_attrs["experiment"],
            "state": trial.state.name.lower(),
            "log_loss": trial.value if trial.state == TrialState.COMPLETE else None,
            "validations": [value for _, value in sorted(trial.intermediate_values.items())],
            "changes": trial.user_attrs["changes"],
        }

    def states(self) -> Counter[str]:
        """Return how many trials ended in each way."""
        return Counter(trial["state"] for trial in self.found()["trials"])

    def running(self) -> int:
        """Return how many trials have not ended: other workers have them, or the trainings of killed ones go on."""
        return len(self.study.get_trials(states=(TrialState.RUNNING,)))


def _attempt(trial: optuna.Trial | FrozenTrial) -> int:
    return int(trial.user_attrs.get("attempt", 1))


def _listed(changes: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in changes.items())


def difference(earlier: dict[str, Any], now: dict[str, Any]) -> str:
    """Return the first parameter that differs, by its dotted name, with both values."""
    for key in {**earlier, **now}:
        before, after = earlier.get(key), now.get(key)
        if before != after:
            if isinstance(before, dict) and isinstance(after, dict):
                return f"{key}.{difference(before, after)}"
            return f"{key}: {before}, now {after}"
    return ""
