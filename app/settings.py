"""A server's settings: environment variables, each with a default that suits a small machine."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sentiment.core.errors import UserError

PREFIX = "SENTIMENT_"
MAX_TEXTS = 256
"""The most texts in a request."""
MAX_CHARACTERS = 20_000
"""The most characters in a text."""


def _path(value: str) -> str:
    if not re.fullmatch(r"(/[\w.~-]+)*/?", value):
        raise ValueError("it must be a path such as /reviews")
    return value.rstrip("/")


class Settings(BaseModel):
    """The settings of one server; SENTIMENT_THREADS=2 sets `threads`, and so on."""

    model_config = ConfigDict(frozen=True)

    model: Path = Field(Path("models/exported"), description="Folder of the exported model")
    metrics: Path = Field(Path("metrics"), description="Folder of the metrics that the page shows")
    tokenizers: Path = Field(Path("models/tokenizers"), description="Folder of the tokenizers that the page compares")
    root_path: Annotated[str, AfterValidator(_path)] = Field(
        "/",
        validate_default=True,
        description="Path at which a proxy has the page, as in /reviews; kept without its last /",
    )
    threads: int = Field(
        os.cpu_count() or 1, ge=1, le=1024, description="Reviews that are read at a time; one alone has all threads"
    )
    max_body: int = Field(1_000_000, ge=1_000, description="Bytes of a request's body")
    max_upload: int = Field(50_000_000, ge=1_000, description="Bytes of a file that is uploaded on the page")
    queue: int = Field(512, ge=MAX_TEXTS, description="Texts that may wait; beyond it, requests are refused with 503")
    batch: int = Field(16, ge=1, description="Waiting texts that are read together")
    seconds: float = Field(20, gt=0, le=600, description="Seconds until a request is given up with 503")
    rate: int = Field(1_200, ge=1, description="Requests a minute of one client; beyond it, 429")
    drain: int = Field(20, ge=1, description="Seconds that accepted requests get to finish when the server is stopped")

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from an environment; raise UserError naming a variable and what is wrong with it."""
        given = {
            name: environment[f"{PREFIX}{name.upper()}"]
            for name in cls.model_fields
            if environment.get(f"{PREFIX}{name.upper()}")
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            (fault, *_) = error.errors()
            name = str(fault["loc"][0])
            raise UserError(
                f"{PREFIX}{name.upper()} is {given[name]!r}: {fault['msg']}; "
                f"correct it, or unset it for {cls.model_fields[name].default}"
            ) from None
