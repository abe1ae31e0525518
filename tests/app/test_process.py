"""The server as a process: what signals do to it, and what it says when it can't start."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import httpx
import psutil
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from app.settings import MAX_TEXTS, PREFIX, Settings
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.serving.predictor import GRAPH
from tests.app.conftest import Running
from tests.conftest import ROOT
from tests.windows import WINDOWS

LONG = "the film was superb and lovely " * 40


@pytest.fixture
def own_model(settings: Settings, tmp_path: Path) -> Path:
    return shutil.copytree(settings.model, tmp_path / "model")


def predict(url: str, texts: list[str]) -> httpx.Response:
    return httpx.post(f"{url}api/v1/predict", json={"texts": texts}, timeout=60)


def wait_for(server: Running, event: str) -> None:
    for _ in range(300):
        if any(line["event"] == event for line in server.lines()):
            return
        time.sleep(0.1)
    raise AssertionError(server.log.read_text())


def test_sighup_takes_a_new_model_without_a_dropped_request_and_keeps_it_over_a_broken_one(
    start: Callable[..., Running], own_model: Path
) -> None:
    server = start(model=own_model, rate=1_000_000)
    known = {predict(server.url, [LONG]).json()["model"]: predict(server.url, [LONG]).json()["predictions"]}
    asking = True

    def ask() -> list[httpx.Response]:
        answers = []
        while asking:
            answers.append(predict(server.url, [LONG]))
        return answers

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask) for _ in range(4)]
        write_json(own_model / "length_drift.json", {"slope": 0.5, "tokens": 2.0})
        server.signal(signal.SIGHUP)
        for _ in range(300):
            answer = predict(server.url, [LONG]).json()
            if answer["model"] not in known:
                known[answer["model"]] = answer["predictions"]
                break
            time.sleep(0.05)
        (own_model / GRAPH).write_bytes(b"broken")
        server.signal(signal.SIGHUP)
        wait_for(server, "kept")
        asking = False
        answers = [answer for answering in asked for answer in answering.result()]

    assert len(known) == 2
    assert len({found[0]["score"] for found in known.values()}) == 2
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        assert answer.json()["predictions"] == known[answer.json()["model"]]
    assert predict(server.url, [LONG]).json()["model"] == list(known)[-1]
    (kept,) = (line for line in server.lines() if line["event"] == "kept")
    assert GRAPH in kept["reason"]


def test_sigterm_finishes_what_was_accepted(start: Callable[..., Running]) -> None:
    server = start()
    texts = [f"{LONG} {number}" for number in range(MAX_TEXTS)]
    with ThreadPoolExecutor(3) as threads:
        # Such a connection, as open pages keep it, must not hold up the end.
        page = threads.submit(httpx.get, f"{server.url}gradio_api/heartbeat/abc", timeout=60)
        asked = [threads.submit(predict, server.url, texts) for _ in range(2)]
        for _ in range(300):
            waiting = httpx.get(f"{server.url}metrics").text.split("\nwaiting_texts ")[1].split("\n")[0]
            if float(waiting) > MAX_TEXTS:
                break
            time.sleep(0.01)
        code = server.stop()

        assert code == 0
        for answer in asked:
            assert answer.result().status_code == 200
            assert len(answer.result().json()["predictions"]) == MAX_TEXTS
        page.exception(timeout=10)
    assert [line["event"] for line in server.lines()][-1] == "stopped"


@pytest.mark.slow
def test_a_connection_that_rests_longer_than_clients_keep_one_is_still_answered(server: Running) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    resting = connection.sock
    # httpx closes a connection that has rested for five seconds, as uvicorn does where it is told nothing.
    time.sleep(6)
    connection.request("GET", "/healthz")

    assert connection.getresponse().status == 200
    assert connection.sock is resting


@pytest.mark.parametrize(("path", "status"), [("predict", 413), ("model", 405), ("nothing", 404)])
def test_a_client_that_sends_ten_megabytes_before_it_reads_is_answered_all_the_same(
    server: Running, path: str, status: int
) -> None:
    connection = HTTPConnection(server.url.removeprefix("http://").rstrip("/"), timeout=60)
    headers = {"Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", f"/api/v1/{path}", b" " * 10_000_000, headers)
    answer = connection.getresponse()

    assert answer.status == status
    assert json.loads(answer.read())["error"]["change"]
    connection.close()


@pytest.mark.slow
def test_a_server_that_nobody_asks_sleeps(start: Callable[..., Running]) -> None:
    process = psutil.Process(start().process.pid)
    before = process.num_ctx_switches().voluntary
    time.sleep(2)

    # Gradio's queue alone would wake it some 3,000 times.
    assert process.num_ctx_switches().voluntary - before < 300


def test_gradios_client_gets_a_texts_prediction_and_is_told_what_a_text_must_be(server: Running) -> None:
    client = Client(server.url, verbose=False)

    assert client.predict("good") == predict(server.url, ["good"]).json()["predictions"][0]
    with pytest.raises(AppError, match="at least 1 character"):
        client.predict("")


def test_every_line_of_the_log_is_json(server: Running) -> None:
    predict(server.url, ["good"])

    assert {"loaded", "request"} <= {line["event"] for line in server.lines()}


def fail(**environment: str) -> str:
    command = [sys.executable, "-m", "app", "--port", environment.pop("port", "0")]
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_missing_model_is_told_with_its_remedy(tmp_path: Path) -> None:
    assert fail(SENTIMENT_MODEL=str(tmp_path / "none")) == (
        f"app: error: {tmp_path}/none is missing: dvc repro makes it\n"
    )


@pytest.mark.slow
def test_on_windows_which_has_no_sighup_it_starts_answers_and_stops(start: Callable[..., Running]) -> None:
    server = start(on=WINDOWS)

    assert predict(server.url, ["superb"]).status_code == 200
    server.stop()
    assert server.lines()[-1]["event"] == "stopped"


def test_a_port_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        assert fail(port=port) == (
            f"app: error: can't serve at 127.0.0.1, port {port}: [Errno 98] Address already in use; "
            "give another --host or --port\n"
        )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("THREADS", "0", "greater than or equal to 1"),
        ("THREADS", "two", "valid integer"),
        ("QUEUE", "10", f"greater than or equal to {MAX_TEXTS}"),
        ("SECONDS", "-1", "greater than 0"),
        ("ROOT_PATH", "reviews", "a path such as /reviews"),
        ("ROOT_PATH", "https://example.org/reviews", "a path such as /reviews"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_with_its_name_and_default(name: str, value: str, said: str) -> None:
    with pytest.raises(UserError, match=rf"^SENTIMENT_{name} is '{value}': .*{said}.*; correct it, or unset it for "):
        Settings.of({f"{PREFIX}{name}": value})


def test_settings_come_from_the_environment_and_an_empty_one_counts_as_none() -> None:
    assert Settings.of({f"{PREFIX}THREADS": "3", f"{PREFIX}RATE": ""}) == Settings(threads=3)
