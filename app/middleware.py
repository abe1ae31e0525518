"""What every request goes through: its id, the limits on its client and its body, the log and the metrics."""

import asyncio
import re
import time
import uuid
from contextlib import suppress
from typing import Any

from fastapi import HTTPException
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import problems
from app.observation import Metrics, log
from app.settings import Settings

API = "/api/"
HEALTH = {"/healthz", "/readyz", "/metrics"}
DISCARDED = 64_000_000
"""The most bytes that are read of a body after its request was answered."""
DISCARDING = 10
"""The most seconds that this may take."""
IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Nothing is fetched from or sent to another host, whatever a text or a library says. Some of the page's scripts and
    # styles are inline.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'"
    ),
}


class Gate:
    """The outermost layer of the application: limits requests under API, and logs and counts all requests."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self.settings, self.metrics, self.root = app, settings, metrics, settings.root_path
        self.rate = RateLimitItemPerMinute(settings.rate)
        self.limiter = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = self._enter(scope)
        started, status = time.perf_counter(), 500
        asked = Headers(scope=scope).get("x-request-id", "")
        identity = scope["request_id"] = asked if IDENTITY.fullmatch(asked) else uuid.uuid4().hex

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = identity
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._limit(path, scope, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - started
            route = _route(path, scope)
            self.metrics.requests.labels(scope["method"], route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            if route != "page":
                fields: dict[str, Any] = {"method": scope["method"], "route": route, "status": status}
                log("request", request_id=identity, **fields, ms=round(1000 * seconds, 1), **scope.get("logged", {}))

    def _enter(self, scope: Scope) -> str:
        """Set a request's root_path and return its path below; proxies take the root off the path or leave it there."""
        path: str = scope["path"]
        if f"{path}/".startswith(f"{self.root}/"):
            path = path[len(self.root) :]
        scope["root_path"], scope["path"] = self.root, self.root + path
        return path

    async def _limit(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if not path.startswith(API):
            await self.app(scope, receive, send)
            return
        # The API takes nothing but JSON, whatever a client calls it; curl -d calls it a form. That other sites' pages
        # may send forms does no harm: there are no cookies, nothing changes, and they can't read the answer.
        MutableHeaders(scope=scope)["Content-Type"] = "application/json"
        body = _Body(scope, receive, self.settings.max_body)

        async def discard_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.discard()
            await send(message)

        client = (scope.get("client") or ("unknown",))[0]
        allowed = self.limiter.hit(self.rate, client)
        await (self.app if allowed else _too_many(self.settings.rate))(scope, body.read, discard_and_send)


class _Body:
    """A request's body, which is refused beyond its limit."""

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        self.announced = int(declared) if declared.isdigit() and len(declared) < 20 else 0
        self.receive, self.limit = receive, limit
        self.received, self.more = 0, True

    async def read(self) -> Message:
        """Return the next part, or raise HTTPException where the whole is too large."""
        message = await self._next()
        if max(self.announced, self.received) > self.limit:
            raise HTTPException(413, f"the body is larger than {self.limit:,} bytes")
        return message

    async def discard(self) -> None:
        """Read what is left, within bounds: many clients look for an answer only once they have sent the whole body.

        If it was answered and closed before, they find the connection broken (RFC 9112, section 9.6).
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARDING):
                while self.more and max(self.announced, self.received) <= DISCARDED:
                    await self._next()

    async def _next(self) -> Message:
        message = await self.receive()
        self.received += len(message.get("body", b""))
        self.more = message.get("more_body", False)
        return message


def _too_many(rate: int) -> ASGIApp:
    problem = problems.Problem(
        code="too_many_requests",
        message=f"a client may send {rate:,} requests a minute",
        change="send several texts in one request, or wait for Retry-After seconds",
    )
    return problems.answer(429, problem, 60)


def _route(path: str, scope: Scope) -> str:
    """Return the route's path for the metrics: one of a few, whatever is requested."""
    if path.startswith(API):
        return API.rstrip("/") + getattr(scope.get("route"), "path", "")
    return path if path in HEALTH else "page"
