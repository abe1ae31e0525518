"""The application: page, API and health of one process, and the process around them."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from app import api, problems
from app.middleware import Gate
from app.observation import JsonLines, Metrics, log
from app.service import Service
from app.settings import Settings
from sentiment.core.errors import UserError, reason

KEEP_ALIVE = 150
"""Seconds that a connection may be idle: longer than the proxies of docs/deploy.md keep one (Caddy: two minutes).

The side that sends requests must be the one that closes it: otherwise a request sent just as it closes is lost.
"""


def build(settings: Settings) -> FastAPI:
    """Load the model and return the application that serves it."""
    metrics = Metrics()
    service = Service(settings, metrics)

    # Importing it takes seconds: too long to wait for the news that the model is missing.
    from app import page

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    root = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    root.state.service = service
    json_api = FastAPIOffline(title="Sentiment of reviews", version="1", redoc_url=None)
    json_api.include_router(api.build(service))
    problems.handle(json_api)
    problems.handle(root)
    root.mount("/api", json_api)
    root.include_router(api.health(service))

    @root.get("/docs")
    async def docs() -> RedirectResponse:
        return RedirectResponse("api/docs")

    page.mount(root, service)
    root.add_middleware(Gate, settings=settings, metrics=metrics)
    return root


class Server(uvicorn.Server):
    """A server that reloads the model on SIGHUP, and when stopped disconnects open pages but answers all requests.

    Windows has no SIGHUP: there a new model is taken by starting the server anew.
    """

    def __init__(self, application: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.application = application

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        loop, loads = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        def reload() -> None:
            task = loop.create_task(self.application.state.service.reload())
            loads.add(task)
            task.add_done_callback(loads.discard)

        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, reload)

    async def shutdown(self, sockets: Any = None) -> None:
        from app import page

        log("stopping")
        page.disconnect(self.application)
        await super().shutdown(sockets)
        log("stopped")


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    # Until the model is loaded there is nothing to reload, and SIGHUP must not end the process.
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    address = _bind(host, port)
    application = build(settings)
    # uvicorn handles these while it runs, and raises them again once it has stopped.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING, handlers=[JsonLines()], force=True)
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=settings.drain,
        server_header=False,
    )
    Server(application, config).run([address])


def _bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the address but does not listen yet; raise UserError if it can't be bound."""
    address = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Elsewhere it lets a server start again at once; on Windows it would let two of them have one port.
    if os.name == "posix":
        address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        address.bind((host, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"can't serve at {host}, port {port}: {reason(error)}; give another --host or --port") from None
    return address
