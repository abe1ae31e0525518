"""A proxy that has the page at /reviews: nginx with our own configuration, or where there is none a small one."""

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from tests.conftest import ROOT

PATH = "/reviews"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
SETTINGS = """\
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; {limits} {location} }}
}}
"""


@contextmanager
def proxied(server: str, folder: Path, *, takes_off: bool) -> Iterator[str]:
    """Start a proxy to a server, which takes PATH off a request's path or leaves it; yield the proxy's own address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = _nginx if NGINX else _small
    with run(server.rstrip("/"), folder, port, takes_off):
        for _ in range(100):
            try:
                httpx.get(f"http://127.0.0.1:{port}/")
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                break
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _nginx(server: str, folder: Path, port: int, takes_off: bool) -> Iterator[None]:
    ours = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    limits, location = re.findall(r"(client_max_body_size.*?)(location / \{.*?\})", ours, re.DOTALL)[0]
    for old, new in {
        "location / ": f"location {PATH}/ ",
        "http://127.0.0.1:7860": server + "/" * takes_off,
        "Host $host": "Host $http_host",  # our port is none that a browser leaves out
    }.items():
        assert old in location
        location = location.replace(old, new)
    file = folder / "nginx.conf"
    file.write_text(SETTINGS.format(folder=folder, port=port, limits=limits, location=location))
    process = subprocess.Popen([NGINX, "-c", file, "-e", folder / "error.log"])
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _small(server: str, folder: Path, port: int, takes_off: bool) -> Iterator[None]:
    client = httpx.AsyncClient(base_url=server, timeout=60)

    async def forward(request: Request) -> StreamingResponse:
        path = request.url.path.removeprefix(PATH if takes_off else "")
        sent = client.build_request(
            request.method,
            httpx.URL(path=path, query=request.url.query.encode()),
            headers=request.headers.raw,
            content=await request.body(),
        )
        answer = await client.send(sent, stream=True)

        async def parts() -> AsyncIterator[bytes]:
            async for part in answer.aiter_raw():
                yield part
            await answer.aclose()

        response = StreamingResponse(parts(), answer.status_code)
        response.raw_headers = answer.headers.raw
        return response

    routes = [Route(PATH + "/{path:path}", forward, methods=["GET", "POST", "HEAD"])]
    config = uvicorn.Config(Starlette(routes=routes), port=port, log_level="error", timeout_graceful_shutdown=1)
    own = uvicorn.Server(config)
    thread = threading.Thread(target=own.run)
    thread.start()
    try:
        yield
    finally:
        own.should_exit = True
        thread.join(30)
