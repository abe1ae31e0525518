"""YAML files and their schemas: reading one, checking it, and saying what is wrong with it."""

import reprlib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sentiment.core.errors import UserError, reason

Schema = TypeVar("Schema", bound=BaseModel)
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[
    list[Name], BeforeValidator(lambda names: [names] if isinstance(names, str) else names), Field(min_length=1)
]
"""One name, or a list of names."""


class Strict(BaseModel):
    """Refuse unknown keys and values of another type; never convert silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


NESTED = {
    "model_type": "keys with values",
    "dict_type": "keys with values",
    "list_type": "a list, as in [a, b]",
    "too_short": "of at least one entry",
}
"""What must stand there, by pydantic's names of errors."""


def read_yaml(path: Path | str) -> Any:
    """Read YAML 1.2, where 3e-5 is a number (YAML 1.1 reads it as a string); raise UserError when it can't be read."""
    try:
        return YAML(typ="safe", pure=True).load(Path(path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run from the project's folder, after the stage that makes it") from None
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or reason(error)
        raise UserError(f"{path}{place} is not YAML: {problem}") from None


def validate(schema: type[Schema], content: Any, path: Path | str) -> Schema:
    """Check `content` against `schema`; raise UserError naming each wrong key, its value and what is legal."""
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {_show(content)}, but must hold keys with values")
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        mistakes = [_line(_sentence(schema, dict(detail))) for detail in error.errors(include_url=False)]
        unique = list(dict.fromkeys(mistakes))
        more = f"; and {len(unique) - 5} more" if len(unique) > 5 else ""
        raise UserError(f"{path}: " + "; ".join(unique[:5]) + more) from None


def _sentence(schema: type[BaseModel], detail: dict[str, Any]) -> str:
    keys = [str(part) for part in detail["loc"]]
    key = ".".join(keys) or "it"
    if detail["type"] == "extra_forbidden":
        legal = _keys(schema, keys[:-1])
        near = get_close_matches(keys[-1], legal, n=1)
        hint = f"did you mean {near[0]}?" if near else f"legal are {', '.join(legal)}"
        return f"{key} is unknown: {hint}"
    if detail["type"] == "missing":
        return f"{key} is missing: give it a value"
    if detail["type"] == "value_error":
        return f"{key} needs {detail['ctx']['error']}"
    if detail["type"] in NESTED:
        return f"{key} is {_show(detail['input'])}, but must be {NESTED[detail['type']]}"
    requirement = detail["msg"].removeprefix("Input should be ")
    return f"{key} is {_show(detail['input'])}, but must be {requirement}"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def _show(value: Any) -> str:
    """Return the value as Python writes it, shortened: a few lines of YAML can expand to more than memory holds."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "a number with too many digits"


def _line(text: str, longest: int = 400) -> str:
    """Return the text on one line of bounded length, with escapes for what can't be printed."""
    text = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text[:longest])
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _keys(schema: type[BaseModel], path: list[str]) -> list[str]:
    """List the keys that are legal at `path`, following nested models through unions, lists and mappings."""
    choices = [schema]
    for part in path:
        # A part that is not a field is a mapping's key, or the tag that chose a union's member: its first field.
        chosen = next((model for model in choices if part in list(model.model_fields)[:1]), choices[0])
        field = chosen.model_fields.get(part)
        choices = (_models(field.annotation) if field else None) or [chosen]
    return list(choices[0].model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
