"""What tuning.yaml may look for, and what it is told where it is wrong."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sentiment.core.errors import UserError
from sentiment.core.schemas import read_yaml
from tuning.__main__ import PLAN, shared
from tuning.space import Plan, changed, load_plan

ROOT = Path(__file__).resolve().parents[2]
PARAMS = read_yaml(ROOT / "params.yaml")


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Load the committed plan with some of its keys replaced."""

    def load(**changes: Any) -> Plan:
        file = tmp_path / "plan.yaml"
        YAML().dump(read_yaml(ROOT / PLAN) | changes, file)
        return load_plan(file, PARAMS)

    return load


def test_the_committed_plan_is_legal() -> None:
    assert load_plan(ROOT / PLAN, PARAMS).study == "default"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"train.rate": [1]}}, r"space: train\.rate is no parameter: did you mean train\.\w+\?"),
        ({"space": {"train.lr": [1e-4, 5]}}, r"space: train\.lr is 5, but must be less than or equal to 0\.1"),
        ({"space": {"train.lr": {"low": 1e-5, "high": 1}}}, r"train\.lr is 1, but must be less than or equal to 0\.1"),
        ({"space": {"train.lr": {"low": 1e-3, "high": 1e-4}}}, r"train\.lr\.low is 0\.001, but must be less than its"),
        ({"space": {"train.dropout": {"low": 0, "high": 0.5, "log": True}}}, r"low is 0, but must be greater than 0"),
        (
            {"space": {"train.epochs": {"low": 1, "high": 8, "step": 0.5}}},
            r"train\.epochs\.step is 0\.5, but must be whole where low and high are$",
        ),
        (
            {"space": {"train.lr": {"low": 1e-5, "hihg": 1e-4}}},
            r"space, train\.lr: .*hihg is unknown: did you mean high",
        ),
        (
            {"space": {"train.lr": 1e-4}},
            r"train\.lr is 0\.0001, but must be a list of values, as in \[1, 2\], or a range",
        ),
        ({"space": {"train.lr": []}}, r"train\.lr is \[\], but must be a list of values"),
        ({"space": {}}, r"space is \{\}, but must be of at least one entry"),
        (
            {"space": {"subsample.balance": [True, False]}},
            r"subsample\.balance can't be looked for, as it changes which",
        ),
        ({"space": {"seed": [1, 2]}}, r"seed can't be looked for, .* legal are parameters of model, tokenize, train$"),
        ({"space": {"train": [1]}}, r"space: train is 1, but must be keys with values"),
        ({"space": {"train.lora_rank": [8]}}, r"train needs freeze: encoder where lora_rank is more than 0"),
        (
            {"base": {"train.lr": 1e-4}, "space": {"train.lr": [1e-4]}},
            r"train\.lr is in base too: keep it in one of them",
        ),
        ({"base": {"threads": 0}}, r"base: threads is 0, but must be greater than or equal to 1"),
        ({"base": {"treads": 1}}, r"base: treads is no parameter: did you mean threads\?"),
        ({"study": "../x"}, r"study is '\.\./x', but must"),
        ({"trials": 0}, r"trials is 0, but must be greater than or equal to 1"),
    ],
)
def test_a_mistake_in_the_plan_is_told_with_its_key_its_value_and_what_is_legal(
    load: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load(**changes)


def test_an_update_of_low_rank_can_be_looked_for_where_base_freezes_the_encoder(load: Any) -> None:
    assert load(base={"train.freeze": "encoder"}, space={"train.lora_rank": [4, 8]})


def test_changes_leave_the_parameters_themselves_alone() -> None:
    assert changed(PARAMS, {"train.lr": 1e-3}, "here")["train"]["lr"] == 1e-3
    assert PARAMS["train"]["lr"] != 1e-3


def test_trials_share_all_but_the_ranges_of_what_is_looked_for(load: Any) -> None:
    plan = load(base={"threads": 1}, space={"train.lr": {"low": 1e-5, "high": 1e-4}, "train.epochs": [1, 2]})
    wider = load(base={"threads": 1}, space={"train.lr": {"low": 1e-6, "high": 1e-4}, "train.epochs": [1, 2]})
    longer = load(base={"threads": 1}, space={"train.lr": {"low": 1e-5, "high": 1e-4}, "train.epochs": [1, 2, 3]})

    assert shared(plan, PARAMS) == shared(wider, PARAMS) == shared(plan, changed(PARAMS, {"train.lr": 1e-3}, ""))
    assert shared(plan, PARAMS) != shared(longer, PARAMS)
    assert shared(plan, PARAMS) != shared(plan, changed(PARAMS, {"seed": 1}, ""))
