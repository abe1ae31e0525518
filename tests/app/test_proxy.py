"""The page at a path of a proxy, as in https://example.org/reviews/."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi.testclient import TestClient
from gradio_client import Client

from app.server import build
from app.settings import Settings
from sentiment.serving.predictor import Predictor
from tests.app.conftest import Running
from tests.app.proxy import PATH, proxied
from tests.app.visit import GOOD, Visit, open_tab, verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(build(settings.model_copy(update={"root_path": PATH, "rate": 8}))) as client:
        yield client


@pytest.fixture(scope="module")
def below(start: Callable[..., Running]) -> Running:
    return start(root_path=f"{PATH}/")


@pytest.fixture(scope="module", params=[True, False], ids=["which takes the path off", "which leaves the path"])
def proxy(below: Running, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    with proxied(below.url, tmp_path_factory.mktemp("proxy"), takes_off=request.param) as url:
        yield url


def test_the_description_of_the_api_names_the_path_at_which_it_is(client: TestClient) -> None:
    assert client.get("/api/openapi.json").json()["servers"] == [{"url": f"{PATH}/api"}]


def test_the_path_without_its_last_slash_leads_to_the_page(client: TestClient) -> None:
    assert client.get(PATH, follow_redirects=False).headers["Location"] == f"http://testserver{PATH}/"


def test_a_request_is_answered_and_limited_whether_a_proxy_takes_the_path_off_or_not(client: TestClient) -> None:
    for path in ("/healthz", f"{PATH}/healthz", "/api/v1/model", f"{PATH}/api/v1/model", f"{PATH}/page/page.css"):
        assert client.get(path).status_code == 200, path
    assert client.get(f"{PATH}er/api/v1/model").status_code == 404
    assert client.get(f"{PATH}{PATH}/healthz").status_code == 404
    statuses = [client.get(f"{PATH}/api/v1/model").status_code for _ in range(7)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


@pytest.mark.slow
def test_every_tab_works_below_a_path(browser: "Browser", proxy: str, predictor: Predictor, tmp_path: Path) -> None:
    visit = Visit(browser, f"{proxy}{PATH}")
    page = visit.page
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.reload()
    assert page.url == f"{proxy}{PATH}/"
    page.locator("#review").fill(GOOD)
    verdict(page, predictor, GOOD)
    font = "getComputedStyle(document.querySelector('gradio-app')).getPropertyValue('--font')"
    assert "system-ui" in page.evaluate(font)

    reviews = tmp_path / "reviews.csv"
    reviews.write_text(f"text\n{GOOD}\n")
    open_tab(page, "File")
    page.set_input_files("input[type=file]", reviews)
    page.wait_for_selector("button.primary:enabled")
    page.get_by_role("button", name="Read the reviews").click()
    page.wait_for_selector("#summary .histogram")
    with page.expect_download() as download:
        page.get_by_role("link").filter(has_text="B").last.click()
    assert "score" in Path(download.value.path()).read_text()

    open_tab(page, "Tokenizers")
    page.wait_for_selector("#cuts .token")
    open_tab(page, "Model")
    page.wait_for_selector("#facts table")
    page.get_by_role("link", name="JSON API").click()
    page.get_by_text("/v1/predict").first.wait_for()
    assert failed == []
    visit.close(proxy)


@pytest.mark.slow
def test_programs_reach_the_server_below_a_path(proxy: str, predictor: Predictor) -> None:
    (score,) = predictor.score_texts([GOOD]).round(6)

    assert Client(f"{proxy}{PATH}/", verbose=False).predict(GOOD)["score"] == score
    described = httpx.get(f"{proxy}{PATH}/api/openapi.json").json()
    (server,) = described["servers"]
    answer = httpx.post(f"{proxy}{server['url']}/v1/predict", json={"text": GOOD})
    assert answer.json()["predictions"][0]["score"] == score
