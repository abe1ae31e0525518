"""The JSON API, asked within the process."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import compress

import pytest
from fastapi.testclient import TestClient

from app.api import Prediction
from app.explanation import MOST, explain, variations
from app.server import build
from app.settings import MAX_CHARACTERS, Settings
from sentiment.model.decision import Decision
from sentiment.serving.predictor import Predictor
from tests.app.monitoring import sample

DECISION = {"threshold": 0.45, "low": 0.3, "high": 0.8}
"""What the fixture saves beside the served model."""
PREDICT, EXPLAIN = "/api/v1/predict", "/api/v1/explain"
NASTY = [
    "\x00 good \x00",
    "<script>alert(1)</script>",
    "😀 … e\u0301 \u200d",
    "[SEP] {{7*7}} ${7*7}",
    "=cmd()",
    "x" * 9_999,
]


def test_one_text_gets_the_models_score(client: TestClient, predictor: Predictor) -> None:
    answer = client.post(PREDICT, json={"text": "the film was superb"})
    ((label, score),) = predictor.predict(["the film was superb"])

    assert answer.status_code == 200
    (found,) = answer.json()["predictions"]
    unsure = bool(predictor.decision.unsure(score))
    assert found == {"sentiment": label, "score": round(score, 6), "unsure": unsure, "strange": False}
    assert re.fullmatch("[0-9a-f]{12}", answer.json()["model"])
    assert answer.json()["decision"] == client.get("/api/v1/model").json()["decision"] == DECISION


def test_several_texts_get_their_scores_in_their_order(client: TestClient, predictor: Predictor) -> None:
    texts = [*NASTY, "the plot was bad", "good"] * 20
    answer = client.post(PREDICT, json={"texts": texts})

    assert answer.status_code == 200
    scores = [found["score"] for found in answer.json()["predictions"]]
    assert scores == predictor.score_texts(texts).round(6).tolist()


def test_the_models_own_threshold_and_zone_make_the_verdict() -> None:
    decision = Decision(**DECISION)
    found = [Prediction.of(score, decision) for score in (0.2, 0.31, 0.44, 0.46, 0.79, 0.8)]

    assert [one.sentiment for one in found] == ["negative"] * 3 + ["positive"] * 3
    assert [one.unsure for one in found] == [False, True, True, True, True, False]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain;charset=UTF-8", None])
def test_json_is_read_whatever_a_client_calls_it(client: TestClient, kind: str | None) -> None:
    body = {"texts": ["good", "bad"]}
    answer = client.post(PREDICT, content=json.dumps(body), headers={"Content-Type": kind} if kind else {})

    assert answer.json() == client.post(PREDICT, json=body).json()
    # Another site's page may have sent it, and must not read the answer.
    assert not [name for name in answer.headers if name.startswith("access-control") or name == "set-cookie"]


def test_a_body_that_is_a_form_is_refused_with_what_to_send(client: TestClient) -> None:
    answer = client.post(PREDICT, data={"text": "good"})

    assert answer.status_code == 422
    assert 'send JSON such as {"text": "A joy."}' in answer.json()["error"]["change"]


def test_a_text_in_another_language_is_called_strange_and_the_others_are_not(client: TestClient) -> None:
    texts = ["das Buch war leider sehr langweilig", "the film was a very dull film", "这部电影非常好看", "schlecht"]
    answer = client.post(PREDICT, json={"texts": texts}).json()

    assert [found["strange"] for found in answer["predictions"]] == [True, False, True, False]


def test_concurrent_requests_are_read_together_and_get_their_own_answers(settings: Settings) -> None:
    texts = [f"{'good' if number % 2 else 'bad'} film {number}" for number in range(40)]
    with TestClient(build(settings)) as client:
        expected = [client.post(PREDICT, json={"text": text}).json() for text in texts]
        batches = sample(client, "batch_texts_count")
        with ThreadPoolExecutor(20) as threads:
            found = list(threads.map(lambda text: client.post(PREDICT, json={"text": text}).json(), texts))

        assert found == expected
        assert sample(client, "batch_texts_count") - batches < len(texts)


def test_the_explanation_weighs_every_word_by_what_changes_in_variants_without_it(
    client: TestClient, predictor: Predictor
) -> None:
    text = "  the film was superb,\nthe cast  dull "
    answer = client.post(EXPLAIN, json={"text": text}).json()
    words = answer["words"]

    assert "".join(word["text"] for word in words) == text
    assert [word["text"].strip() for word in words] == text.split()
    kept = variations(len(words))
    variants = ["".join(compress((word["text"] for word in words), row)) for row in kept]
    weights = explain(text.split(), kept, predictor.score_texts(variants).tolist())
    assert [word["weight"] for word in words] == weights
    assert any(word["weight"] for word in words)
    assert client.post(EXPLAIN, json={"text": text}).json() == answer
    assert answer["parts"] == []
    (whole,) = predictor.score_texts([text])
    assert answer["prediction"]["score"] == pytest.approx(whole, abs=1e-6)


def test_an_explanation_reads_each_variant_of_a_text_once(client: TestClient) -> None:
    read = sample(client, "batch_texts_sum")
    client.post(EXPLAIN, json={"text": "superb film"})

    assert sample(client, "batch_texts_sum") - read <= 4


def test_a_text_that_the_model_cannot_read_whole_gets_a_verdict_for_each_part(
    client: TestClient, predictor: Predictor
) -> None:
    text = " ".join(
        ["The film was superb and lovely, the cast was fine."] * 10 + ["The plot was awful, bad, dull!"] * 10
    )
    answer = client.post(EXPLAIN, json={"text": text}).json()
    parts = [part["text"] for part in answer["parts"]]

    assert "".join(parts) == text
    assert len(parts) > 2
    assert all(encoded.tokens <= 64 + 2 * 9 for encoded in predictor.encode(parts))
    scores = [part["prediction"]["score"] for part in answer["parts"]]
    assert scores == predictor.score_texts(parts).round(6).tolist()
    assert scores[0] > scores[-1]
    assert len(answer["words"]) <= MOST
    assert "".join(word["text"] for word in answer["words"]) == text


@pytest.mark.parametrize(
    "text", ["." * MAX_CHARACTERS, "a\n" * 9_999, "a" + " " * 9_999, "\t" * 9_999 + "a", "a. " * 6_000]
)
def test_no_text_is_too_odd_to_be_explained(client: TestClient, text: str) -> None:
    answer = client.post(EXPLAIN, json={"text": text})

    assert answer.status_code == 200
    assert "".join(word["text"] for word in answer.json()["words"]) == text
    assert len(answer.json()["parts"]) <= 49


def test_the_model_tells_what_it_is(client: TestClient, settings: Settings) -> None:
    found = client.get("/api/v1/model").json()

    assert found["labels"] == ["negative", "positive"]
    assert (found["max_length"], found["head_share"]) == (64, 0.25)
    assert found["card"] == (settings.model / "README.md").read_text()
    assert found["metrics"]["cross/books"]["accuracy"] == 0.875


def test_a_request_keeps_its_id_or_gets_one(client: TestClient) -> None:
    def identity(asked: str) -> str:
        return client.get("/healthz", headers={"X-Request-ID": asked}).headers["X-Request-ID"]

    assert identity("abc-1.2_3") == "abc-1.2_3"
    for bad in ("", "a b", "x" * 65, '"}'):
        assert re.fullmatch("[0-9a-f]{32}", identity(bad))


def test_every_request_is_logged_as_a_line_of_json_without_its_texts(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    client.post(PREDICT, json={"texts": ["a s3cret", "b s3cret"]}, headers={"X-Request-ID": "mine"})
    client.post(PREDICT, json={"text": 5, "s3cret": 1})

    written = capsys.readouterr().err
    first, second = (json.loads(line) for line in written.splitlines())
    assert (first["request_id"], first["route"], first["status"], first["texts"]) == ("mine", PREDICT, 200, 2)
    assert second["status"] == 422
    assert "s3cret" not in written


def test_a_defect_is_answered_with_its_id_and_logged_without_the_text(
    client: TestClient, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = client.app.state.service

    def broken(texts: object) -> None:
        raise ValueError(f"no: {texts}")

    monkeypatch.setattr(service.model.predictor, "score_texts", broken)
    answer = client.post(PREDICT, json={"text": "s3cret"}, headers={"X-Request-ID": "mine"})

    assert answer.status_code == 500
    assert "mine" in answer.json()["error"]["change"]
    written = capsys.readouterr().err
    assert "s3cret" not in answer.text + written
    assert "ValueError" in written
    monkeypatch.undo()
    assert client.post(PREDICT, json={"text": "good"}).status_code == 200


def test_a_server_that_has_not_started_is_alive_but_not_ready(settings: Settings) -> None:
    client = TestClient(build(settings))

    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    with client:
        assert client.get("/readyz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 503


def test_prometheus_is_told_of_requests_by_route_whatever_was_asked_for(client: TestClient) -> None:
    for path in ("/api/v1/model", "/api/a", "/api/b", "/wp-login.php"):
        client.get(path)
    routes = set(re.findall(r'http_requests_total{[^}]*route="([^"]*)"', client.get("/metrics").text))

    assert "/api/v1/model" in routes
    assert routes <= {
        PREDICT,
        EXPLAIN,
        "/api/v1/model",
        "/api",
        "/api/openapi.json",
        "page",
        "/healthz",
        "/readyz",
        "/metrics",
    }


def test_the_documentation_loads_nothing_from_another_host(client: TestClient) -> None:
    page = client.get("/docs").text

    assert "swagger-ui" in page
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page) == []
