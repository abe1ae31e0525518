"""The web page, served for real and asked over HTTP."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from app.page import build, verdict
from sentiment.predictor import Predictor


@pytest.fixture
def predictor(exported: Path) -> Predictor:
    return Predictor(exported)


@pytest.fixture
def address(predictor: Predictor) -> Iterator[str]:
    page = build(predictor)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
    yield url
    page.close()


def ask(address: str, review: str) -> dict[str, float]:
    body = json.dumps({"data": [review]}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{address}gradio_api/call/predict", body, headers)) as reply:
        event = json.load(reply)["event_id"]
    with urlopen(f"{address}gradio_api/call/predict/{event}") as reply:
        lines = reply.read().decode().splitlines()
    assert lines[0] == "event: complete"
    (label,) = json.loads(lines[1].removeprefix("data: "))
    return {entry["label"]: entry["confidence"] for entry in label["confidences"]}


def test_the_verdict_is_the_models_score(predictor: Predictor) -> None:
    (score,) = predictor.score_texts(["the film was superb"])

    assert verdict(predictor, "the film was superb") == {
        "positive": pytest.approx(score),
        "negative": pytest.approx(1 - score),
    }


@pytest.mark.parametrize("review", ["", " \n", "\t"])
def test_nothing_to_read_gives_no_verdict(predictor: Predictor, review: str) -> None:
    assert verdict(predictor, review) is None


def test_the_page_answers_over_http(address: str, predictor: Predictor) -> None:
    for review in ("the plot was good", "the plot was bad", "<script>alert(1)</script>", "\u0000 \U0001f600" * 500):
        (score,) = predictor.score_texts([review])
        assert ask(address, review)["positive"] == pytest.approx(score, abs=1e-4)


def test_the_page_loads_nothing_from_another_host(address: str) -> None:
    with urlopen(address) as reply:
        page = reply.read().decode()

    assert "Sentiment of reviews" in page
    assert (
        re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=[\"']?https?://(?!127\.0\.0\.1|localhost)[^>]*>", page) == []
    )
