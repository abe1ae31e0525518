"""Parameters as nobody should write them: legal ones are taken, all others refused in one line that names the key."""

import copy
import math
import re
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sentiment.core.errors import UserError
from sentiment.core.params import Params, load_params
from sentiment.core.schemas import read_yaml, validate

PARAMS = Path(__file__).parents[3] / "params.yaml"


def bounds(annotation: Any, metadata: list[Any]) -> list[Any]:
    """Return a field's bounds, wherever its annotation holds them."""
    parts = [*metadata, *getattr(annotation, "__metadata__", [])]
    found = [bound for part in parts for bound in getattr(part, "metadata", [part])]
    found = [bound for bound in found if isinstance(bound, Ge | Gt | Le | Lt)]
    return found + [bound for argument in get_args(annotation) for bound in bounds(argument, [])]


def kinds(annotation: Any) -> set[Any]:
    """Return the types of the values that a field takes, as YAML has them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return {type(choice) for choice in arguments}
    if origin in {Annotated, Union, UnionType}:
        return set().union(*(kinds(part) for part in (arguments[:1] if origin is Annotated else arguments)))
    return {int, float} if annotation is float else {origin or annotation}


def fields(model: type[BaseModel], *keys: str) -> dict[str, FieldInfo]:
    """Return every field that holds a value by its dotted key."""
    found: dict[str, FieldInfo] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= fields(field.annotation, *keys, name)
        else:
            found[".".join([*keys, name])] = field
    return found


CONTENT = read_yaml(PARAMS)
MISSING = object()
FIELDS = fields(Params)
BOUNDS = {key: limits for key, field in FIELDS.items() if (limits := bounds(field.annotation, field.metadata))}


def content_with(key: str, value: Any) -> dict[str, Any]:
    content = inner = copy.deepcopy(CONTENT)
    *sections, last = key.split(".")
    for section in sections:
        inner = inner[section]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    return content


def refusal(content: Any) -> str | None:
    try:
        validate(Params, content, "params.yaml")
    except UserError as error:
        message = str(error)
        assert message.isprintable(), message
        assert len(message) < 2000
        return message
    return None


def test_every_number_has_bounds() -> None:
    assert {key for key, field in FIELDS.items() if kinds(field.annotation) & {int, float}} <= set(BOUNDS)
    assert len(BOUNDS) > 20


def test_every_key_that_is_missing_is_named() -> None:
    for key in FIELDS:
        assert refusal(content_with(key, MISSING)) == f"params.yaml: {key} is missing: give it a value"


def test_a_value_of_another_kind_is_always_refused_with_its_key_and_what_is_legal() -> None:
    for key, field in FIELDS.items():
        # One column's name stands for a list of one.
        legal = kinds(field.annotation) | ({str} if key == "download.text" else set())
        for value in [None, True, 1, 1.5, "1", [], {}]:
            if type(value) not in legal:
                message = refusal(content_with(key, value))
                assert message is not None, (key, value)
                assert re.fullmatch(
                    rf"params\.yaml: {re.escape(key)} is {re.escape(repr(value))}, but must be \S.+", message
                )


def test_a_word_that_is_no_choice_is_always_refused_with_the_choices() -> None:
    for key, field in FIELDS.items():
        if get_origin(field.annotation) is Literal:
            message = refusal(content_with(key, "something else"))
            assert message is not None, key
            assert all(f"{choice!r}" in message for choice in get_args(field.annotation))


@given(key=st.sampled_from(sorted(BOUNDS)), data=st.data())
@settings(max_examples=150)
def test_a_number_outside_its_range_is_always_refused_with_its_key(key: str, data: st.DataObject) -> None:
    bound = data.draw(st.sampled_from(BOUNDS[key]))
    wide = st.floats(allow_nan=False) | st.integers(-(10**40), 10**40)
    beyond = {
        Ge: lambda: wide.filter(lambda value: value < bound.ge),
        Gt: lambda: wide.filter(lambda value: value <= bound.gt) | st.just(bound.gt),
        Le: lambda: wide.filter(lambda value: value > bound.le),
        Lt: lambda: wide.filter(lambda value: value >= bound.lt) | st.just(bound.lt),
    }
    message = refusal(content_with(key, data.draw(beyond[type(bound)]())))
    assert message is not None
    assert message.startswith(f"params.yaml: {key} is ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, b"1"])
def test_what_is_no_finite_number_is_always_refused(value: Any) -> None:
    for key in BOUNDS:
        assert refusal(content_with(key, value)), key


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.none() | st.booleans(), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(key=st.sampled_from([*FIELDS, "train", "download", "subsample"]), value=ANYTHING)
@settings(max_examples=150)
def test_any_value_of_any_key_is_taken_or_refused_in_one_line(key: str, value: Any) -> None:
    refusal(content_with(key, value))


@given(content=ANYTHING)
def test_any_content_is_refused_in_one_line(content: Any) -> None:
    assert refusal(content)


def laughs(levels: int) -> str:
    """Return YAML whose few lines stand for 9 to the power of `levels` words."""
    lines = ["x0: &x0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1000,
        "{a: " * 1000,
        "a: &a [*a]",
        f"{laughs(12)}\nseed: *x11\n",
        f"seed: {'9' * 100_000}",
        f"seed: 0x{'f' * 100_000}",
        f"seed: {'x' * 100_000}",
        "? [a, b]\n: 1",
        "2000-01-01: 1",
        "1: 2",
        "~: 1",
        "seed: !!binary aGVsbG8=",
        "seed: !!set {a, b}",
        "seed: !!omap [a: 1]",
        'model: "\\ud800"',
        'model: "a\\u0000b\\u202e\\n"',
        "<<: 3",
        "<<: {seed: 1}",
    ],
    ids=range(18),
)
def test_yaml_that_is_made_to_harm_is_refused_in_one_short_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_params(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message.replace(str(path), "")) < 1500
