"""What the JSON API refuses: bad bodies, what there is not, too much at once."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app.server import build
from app.settings import MAX_CHARACTERS, MAX_TEXTS, Settings
from tests.app.monitoring import sample

PREDICT, EXPLAIN = "/api/v1/predict", "/api/v1/explain"

DEEP = "[" * 100_000 + "]" * 100_000
BAD_BODIES = {
    "empty": b"",
    "not JSON": b"text=good",
    "not UTF-8": b'{"text": "\xff"}',
    "a list": b'["good"]',
    "a number": b"7",
    "null": b'{"text": null}',
    "a number as text": b'{"text": 7}',
    "no text": b'{"text": ""}',
    "blanks": b'{"text": " \\n\\t"}',
    "no texts": b'{"texts": []}',
    "a text for texts": b'{"texts": "good"}',
    "one null": b'{"texts": ["good", null]}',
    "both": b'{"text": "good", "texts": ["good"]}',
    "another key": b'{"text": "good", "model": "other"}',
    "a lone surrogate": b'{"text": "half \\ud83d"}',
    "a lone surrogate as key": b'{"\\ud83d": "good"}',
    "deep": DEEP.encode(),
    "deep within": f'{{"text": {DEEP}}}'.encode(),
    "a huge number": b'{"text": ' + b"9" * 100_000 + b"}",
    "too long": json.dumps({"text": "x" * (MAX_CHARACTERS + 1)}).encode(),
    "too many": json.dumps({"texts": ["x"] * (MAX_TEXTS + 1)}).encode(),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_bad_body_is_refused_with_what_to_change(client: TestClient, body: bytes) -> None:
    answer = client.post(PREDICT, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}
    error = answer.json()["error"]
    assert error["code"] in {"invalid", "bad_request"}
    assert error["message"]
    assert error["change"]
    assert len(answer.content) < 600


def test_a_bad_text_is_named_by_its_place_and_not_quoted(client: TestClient) -> None:
    answer = client.post(PREDICT, json={"texts": ["good", "s3cret" * 10_000]})

    assert answer.status_code == 422
    assert answer.json()["error"]["where"].endswith("texts.1")
    assert "at most 20000 characters" in answer.json()["error"]["message"]
    assert "s3cret" not in answer.text


def _chunks() -> Iterator[bytes]:
    for _ in range(100):
        yield b" " * 100_000


@pytest.mark.parametrize("path", [PREDICT, EXPLAIN])
@pytest.mark.parametrize("chunked", [False, True])
def test_ten_megabytes_are_refused(client: TestClient, path: str, chunked: bool) -> None:
    body = _chunks() if chunked else b" " * 10_000_000
    answer = client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 413
    assert answer.json()["error"] == {
        "code": "too_large",
        "message": "the body is larger than 1,000,000 bytes",
        "change": "send fewer or shorter texts in each request",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", PREDICT, 405, "method_not_allowed"),
        ("DELETE", "/api/v1/model", 405, "method_not_allowed"),
    ],
)
def test_what_there_is_not_is_answered_in_json_too(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_client_that_asks_too_often_is_told_to_wait(settings: Settings) -> None:
    with TestClient(build(settings.model_copy(update={"rate": 3}))) as client:
        answers = [client.get("/api/v1/model") for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].json()["error"]["code"] == "too_many_requests"
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert client.get("/healthz").status_code == 200


def test_overload_is_refused_at_once_and_passes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with TestClient(build(settings.model_copy(update={"queue": MAX_TEXTS}))) as client, ThreadPoolExecutor(1) as thread:
        hold, held = threading.Event(), threading.Event()
        predictor = client.app.state.service.model.predictor
        score = predictor.score_texts

        def slow(texts: list[str]) -> object:
            held.set()
            hold.wait(30)
            return score(texts)

        monkeypatch.setattr(predictor, "score_texts", slow)
        first = thread.submit(client.post, PREDICT, json={"texts": ["good"] * MAX_TEXTS})
        held.wait(30)
        refused = client.post(PREDICT, json={"texts": ["bad"] * 100})

        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["error"]["code"] == "overloaded"
        assert not first.done()
        assert sample(client, "waiting_texts") == MAX_TEXTS - settings.batch
        hold.set()
        assert first.result().status_code == 200
        assert client.post(PREDICT, json={"texts": ["bad"] * 100}).status_code == 200


def test_a_request_that_takes_too_long_is_given_up_and_its_texts_are_not_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TestClient(build(settings.model_copy(update={"seconds": 0.2}))) as client:
        hold = threading.Event()
        read: list[str] = []
        predictor = client.app.state.service.model.predictor
        score = predictor.score_texts

        def slow(texts: list[str]) -> object:
            hold.wait(30)
            read.extend(texts)
            return score(texts)

        monkeypatch.setattr(predictor, "score_texts", slow)
        answer = client.post(PREDICT, json={"texts": [f"good {number}" for number in range(100)]})

        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too_slow")
        hold.set()
        assert client.post(PREDICT, json={"text": "last"}).status_code == 200
        assert read[settings.batch :] == ["last"]
