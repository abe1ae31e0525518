"""What the API answers instead of a result: what is wrong, and what to change."""

import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from app.batching import OverloadedError
from app.observation import log

BODY_KINDS = ("one text", "several texts")
"""The forms that a body may have; pydantic puts their names into the places of its errors."""
CODES: "dict[int, Code]" = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
CHANGES = {413: "send fewer or shorter texts in each request"}
Code = Literal[
    "bad_request", "not_found", "method_not_allowed", "too_large", "invalid", "too_many_requests", "overloaded",
    "too_slow", "not_ready", "internal",
]  # fmt: skip


class Problem(BaseModel):
    code: Code
    message: str = Field(description="What is wrong")
    change: str = Field(description="What to change")
    where: str | None = Field(default=None, description="The place in the request, as in body.texts.3")


class ProblemBody(BaseModel):
    error: Problem


class RefusedError(Exception):
    """End a request with this status and problem; `retry` is the seconds after which to send it again."""

    def __init__(self, status: int, problem: Problem, retry: int | None = None) -> None:
        self.status, self.problem, self.retry = status, problem, retry


def answer(
    status: int, problem: Problem, retry: int | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a problem as an answer."""
    more = {} if retry is None else {"Retry-After": str(retry)}
    return JSONResponse(ProblemBody(error=problem).model_dump(exclude_none=True), status, (headers or {}) | more)


async def _refused(_request: Request, error: RefusedError) -> JSONResponse:
    return answer(error.status, error.problem, error.retry)


async def _overloaded(_request: Request, _error: OverloadedError) -> JSONResponse:
    problem = Problem(
        code="overloaded",
        message="too many texts are waiting to be read",
        change="send the request again after Retry-After seconds",
    )
    return answer(503, problem, 1)


async def _too_slow(_request: Request, _error: TimeoutError) -> JSONResponse:
    problem = Problem(
        code="too_slow", message="the texts were not read in time", change="send fewer texts, or try again later"
    )
    return answer(503, problem, 1)


async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Name the first fault and its place, but never what was sent: it may be private."""
    (fault, *_) = error.errors()
    where = ".".join(str(part) for part in fault["loc"] if part not in BODY_KINDS)
    problem = Problem(
        code="invalid",
        message=fault["msg"],
        change='send JSON such as {"text": "A joy."} or {"texts": ["A joy.", "A bore."]}; /docs has the limits',
        where=where.encode(errors="replace").decode()[:100],
    )
    return answer(422, problem)


async def _http(_request: Request, error: HTTPException) -> JSONResponse:
    status = error.status_code
    problem = Problem(
        code=CODES.get(status, "bad_request"),
        message=str(error.detail),
        change=CHANGES.get(status, "see /docs for what there is and what it takes"),
    )
    return answer(status, problem, headers=dict(error.headers or {}))


async def _defect(request: Request, error: Exception) -> JSONResponse:
    identity = request.scope.get("request_id", "")
    # Where it happened, but not what the error says: that could quote a text.
    place = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:]]
    log("defect", level="error", request_id=identity, error=type(error).__name__, place=place)
    problem = Problem(
        code="internal", message="the server has a defect", change=f"report it with the request id {identity}"
    )
    return answer(500, problem)


HANDLERS: dict[Any, Callable[[Request, Any], Awaitable[JSONResponse]]] = {
    RefusedError: _refused,
    OverloadedError: _overloaded,
    TimeoutError: _too_slow,
    RequestValidationError: _invalid,
    HTTPException: _http,
    Exception: _defect,
}


def handle(app: FastAPI) -> None:
    """Make the application answer every failure with a problem."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
