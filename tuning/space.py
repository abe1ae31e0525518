"""What is looked for: tuning.yaml, checked against the schema of params.yaml."""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from sentiment.core.errors import UserError
from sentiment.core.params import Count, Params
from sentiment.core.schemas import Strict, read_yaml, validate

if TYPE_CHECKING:
    from optuna import Trial

SEARCHED = ("model", "tokenize", "train")
"""What may be looked for. Parameters of other stages change which reviews judge, or nothing that is judged."""


class Range(Strict):
    low: float
    high: float
    log: bool = False
    step: Annotated[float, Field(gt=0)] | None = None


class Plan(Strict):
    """The content of tuning.yaml."""

    study: Annotated[str, Field(pattern=r"^\w[\w-]*$")]
    trials: Count
    seed: int = Field(ge=0, lt=2**31)
    attempts: Count
    prune_after: Count | None
    base: dict[str, Any]
    space: Annotated[dict[str, Any], Field(min_length=1)]


def load_plan(path: Path, params: dict[str, Any]) -> Plan:
    """Read the plan and try each of its values in `params`, the content of params.yaml.

    Raises UserError naming the wrong key, its value and what is legal.
    """
    plan = validate(Plan, read_yaml(path), path)
    validate(Params, changed(params, plan.base, f"{path}, base"), f"{path}, base")
    for name, choice in plan.space.items():
        place = f"{path}, space"
        if name.split(".")[0] not in SEARCHED:
            raise UserError(
                f"{place}: {name} can't be looked for, as it changes which reviews judge, or nothing that is judged: "
                f"move it to base; legal are parameters of {', '.join(SEARCHED)}"
            )
        if name in plan.base:
            raise UserError(f"{place}: {name} is in base too: keep it in one of them")
        for value in _extremes(name, choice, place):
            validate(Params, changed(params, plan.base | {name: value}, place), place)
    return plan


def changed(params: dict[str, Any], changes: dict[str, Any], place: str) -> dict[str, Any]:
    """Return the parameters with the changes, given as dotted name: value; raise UserError for an unknown name."""
    result: dict[str, Any] = json.loads(json.dumps(params))
    known = list(_names(params))
    for name, value in changes.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "params.yaml has all that are legal"
            raise UserError(f"{place}: {name} is no parameter: {hint}")
        *sections, key = name.split(".")
        section = result
        for part in sections:
            section = section[part]
        section[key] = value
    return result


def _names(params: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in params.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{key}.")


def _extremes(name: str, choice: Any, place: str) -> list[Any]:
    """Return the values that stand for a choice: all of a list, the ends of a range."""
    if isinstance(choice, list) and choice:
        return choice
    if not isinstance(choice, dict):
        raise UserError(
            f"{place}: {name} is {choice!r}, but must be a list of values, as in [1, 2], or a range, "
            "as in {low: 1e-5, high: 1e-3}"
        )
    limits = _range(name, choice, place)
    if limits.low >= limits.high:
        raise UserError(f"{place}: {name}.low is {limits.low:g}, but must be less than its high, {limits.high:g}")
    if limits.log and limits.low <= 0:
        raise UserError(f"{place}: {name}.low is {limits.low:g}, but must be greater than 0 where log is true")
    if limits.log and limits.step:
        raise UserError(f"{place}: {name} has log and step: keep one of them")
    if limits.step and _is_whole(choice) and not limits.step.is_integer():
        raise UserError(f"{place}: {name}.step is {limits.step:g}, but must be whole where low and high are")
    return [choice["low"], choice["high"]]


def _is_whole(choice: dict[str, Any]) -> bool:
    return isinstance(choice["low"], int) and isinstance(choice["high"], int)


def _range(name: str, choice: dict[str, Any], place: str) -> Range:
    return validate(Range, choice, f"{place}, {name}")


def suggest(trial: "Trial", space: dict[str, Any]) -> dict[str, Any]:
    """Let Optuna choose a value for each name of the space."""
    return {name: _value(trial, name, choice) for name, choice in space.items()}


def _value(trial: "Trial", name: str, choice: Any) -> Any:
    if isinstance(choice, list):
        # Optuna keeps no lists, such as those of tokenize.parts.
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in choice]))
    limits = _range(name, choice, "space")
    if _is_whole(choice):
        return trial.suggest_int(name, choice["low"], choice["high"], log=limits.log, step=int(limits.step or 1))
    value = trial.suggest_float(name, limits.low, limits.high, log=limits.log, step=limits.step)
    # Digits that make no difference would be all that one sees of a table.
    return float(f"{value:.3g}")
