"""The page in a browser, as people use it."""

import csv
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from sentiment.predictor import Predictor
from tests.app.conftest import SCRIPT, Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GOOD, BAD = "the film was superb and lovely", "the plot was awful and dull"


class Visit:
    """A page that is open, and all that must not happen on it: requests to other hosts, errors, dialogs."""

    def __init__(self, browser: "Browser", url: str, **options: object) -> None:
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.hosts: set[str] = set()
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.goto(url)
        self.page.wait_for_selector("#review")

    def close(self, url: str) -> None:
        self.context.close()
        assert self.hosts <= {urlsplit(url).netloc, ""}
        assert self.faults == []


@pytest.fixture
def visit(browser: "Browser", server: Running) -> "Iterator[Callable[..., Page]]":
    visits: list[Visit] = []

    def go(**options: object) -> "Page":
        visits.append(Visit(browser, server.url, **options))
        return visits[-1].page

    yield go
    for one in visits:
        one.close(server.url)


def verdict(page: "Page", predictor: Predictor, text: str) -> None:
    """Wait until the page shows what the model says of the text."""
    (score,) = predictor.score_texts([text])
    label = "positive" if score >= 0.5 else "negative"
    page.wait_for_function(f"document.querySelector('#verdict').style.getPropertyValue('--score') == {score:.6f}")
    kind = "unsure" if 0.35 < score < 0.65 else label
    assert page.locator("#verdict").get_attribute("data-kind") == kind
    assert page.locator("#sentiment").inner_text().lower() == kind
    assert f"{round(100 * max(score, 1 - score))} %" in page.locator("#confidence").inner_text()


def open_tab(page: "Page", name: str) -> None:
    page.get_by_role("tab", name=name).click()


def test_the_verdict_follows_while_one_types_and_the_last_text_wins(
    visit: "Callable[..., Page]", predictor: Predictor
) -> None:
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("predict") else None)
    assert page.locator("#sentiment").inner_text() == "Waiting for words"
    page.locator("#review").press_sequentially(GOOD, delay=5)
    verdict(page, predictor, GOOD)
    assert len(asked) < 6
    page.locator("#review").fill(BAD)
    verdict(page, predictor, BAD)
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#sentiment").inner_text() == "Waiting for words"
    assert page.locator("#words").inner_text() == ""


def test_an_answer_that_comes_late_is_not_shown(visit: "Callable[..., Page]", predictor: Predictor) -> None:
    page = visit()
    held = []
    page.route(re.compile("predict"), lambda route: held.append(route) if not held else route.continue_())
    page.locator("#review").fill(GOOD)
    page.wait_for_function("document.querySelector('#verdict').dataset.busy === ''")
    page.wait_for_timeout(500)
    page.locator("#review").fill(BAD)
    verdict(page, predictor, BAD)
    held[0].continue_()
    page.wait_for_timeout(300)
    verdict(page, predictor, BAD)


def test_the_words_are_coloured_by_what_they_speak_for(visit: "Callable[..., Page]") -> None:
    page = visit()
    page.locator("#review").fill("the film was superb, the plot was awful")
    page.wait_for_selector("#words .for")

    assert page.locator("#words").inner_text() == "the film was superb, the plot was awful"
    assert "superb," in page.locator("#words .for").all_inner_texts()
    assert "awful" in page.locator("#words .against").all_inner_texts()
    shades = [
        page.locator(f"#words .{side}").first.evaluate("word => getComputedStyle(word).backgroundColor")
        for side in ("for", "against")
    ]
    assert shades[0] != shades[1]


def test_a_long_text_is_judged_part_by_part(visit: "Callable[..., Page]") -> None:
    page = visit()
    text = "The film was superb and lovely, fine and great. " * 12 + "The plot was awful, bad, dull and poor! " * 12
    page.locator("#review").fill(text)
    page.wait_for_selector("#parts li")
    verdicts = page.locator("#parts b").all_inner_texts()

    assert len(verdicts) > 2
    assert verdicts[0] != verdicts[-1]
    assert "only a part" in page.locator("#say").inner_text()


def test_html_in_a_text_is_shown_and_never_run(visit: "Callable[..., Page]") -> None:
    page = visit()
    text = "<img src=x onerror=alert(1)> superb <script>alert(2)</script> <b>awful</b>"
    page.locator("#review").fill(text)
    page.wait_for_selector("#words .word")

    assert page.locator("#words").inner_text() == text
    assert page.locator("#words img, #words script, #words b").count() == 0
    open_tab(page, "Tokenizers")
    page.wait_for_selector("#cuts .token")
    page.locator("#to-cut textarea").fill(SCRIPT)
    page.locator("#cuts .token").get_by_text(SCRIPT).wait_for()
    assert page.locator("#cuts script").count() == 0


def test_a_lone_half_of_a_character_does_not_stop_the_page(visit: "Callable[..., Page]") -> None:
    page = visit()
    page.evaluate(
        "() => { const box = document.querySelector('#review'); box.value = 'superb \\ud83d';"
        "box.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    page.wait_for_selector("#words .word")


def test_a_file_is_scored_and_its_results_downloaded(
    visit: "Callable[..., Page]", predictor: Predictor, tmp_path: Path
) -> None:
    upload = tmp_path / "<img src=x onerror=alert(1)>.csv"
    with upload.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["<script>alert(1)</script>", "text"], *[["=1+1", GOOD], ["b", BAD]] * 40, ["<i>c</i>", ""]]
        )
    page = visit()
    open_tab(page, "File")
    page.set_input_files("input[type=file]", upload)
    button = page.get_by_role("button", name="Read the reviews")
    page.wait_for_function("!document.querySelector('button.primary').disabled")
    assert page.get_by_label("Column of the reviews").input_value() == "text"
    button.click()
    page.wait_for_selector("#summary .histogram")

    assert "80 reviews read" in page.locator("#summary").inner_text()
    assert "row 82: the text is empty" in page.locator("#summary").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link").filter(has_text="KB").last.click()
    with Path(download.value.path()).open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[2:] == ["sentiment", "score"]
    assert rows[0][0] == "'=1+1"
    assert [float(row[3]) for row in rows[:2]] == predictor.score_texts([GOOD, BAD]).round(6).tolist()


def test_a_file_that_is_none_is_told_without_the_servers_folders(visit: "Callable[..., Page]", tmp_path: Path) -> None:
    bad = tmp_path / "<b>bad.parquet"
    bad.write_bytes(b"no parquet")
    page = visit()
    open_tab(page, "File")
    page.set_input_files("input[type=file]", bad)
    page.wait_for_selector("#summary .trouble")

    said = page.locator("#summary .trouble").inner_text()
    assert "is not a whole parquet file" in said
    assert "/" not in said.split(" is not")[0]
    assert page.get_by_role("button", name="Read the reviews").is_disabled()


def test_the_tokenizers_tab_shows_how_each_cuts_the_text(visit: "Callable[..., Page]") -> None:
    page = visit()
    open_tab(page, "Tokenizers")
    page.wait_for_selector("#cuts .token")
    page.locator("#to-cut textarea").fill("Superb films")
    page.wait_for_function("document.querySelector('#cuts .tokens').innerText.startsWith('superb')")

    assert page.locator("#cuts h3").all_inner_texts() == ["tiny", "whole"]
    assert "77 entries · accuracy 0.750" in page.locator("#cuts .facts").first.inner_text()
    assert page.locator("#cuts .unknown").all_inner_texts() == ["[UNK]"]


def test_the_model_tab_shows_the_card_and_the_metrics(visit: "Callable[..., Page]") -> None:
    page = visit()
    open_tab(page, "Model")
    page.wait_for_selector("#facts table")

    assert "0.875 0.800 to 0.900" in page.locator("#facts").inner_text().replace("\n", " ")
    assert "books" in page.locator("#facts").inner_text()
    assert "Knows a few words." in page.locator("#card").inner_text()
    assert "license" not in page.locator("#card").inner_text()


def test_the_keyboard_is_enough(visit: "Callable[..., Page]", predictor: Predictor) -> None:
    page = visit()

    def tab_to(condition: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate(f"() => {{ const at = document.activeElement; return {condition}; }}"):
                return
        raise AssertionError(condition)

    tab_to("at.id === 'review'")
    page.keyboard.type(GOOD)
    verdict(page, predictor, GOOD)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    tab_to("at.dataset.example !== undefined")
    page.keyboard.press("Enter")
    verdict(page, predictor, page.locator("#review").input_value())
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.getAttribute('role') === 'tab'"):
            break
    while page.evaluate("document.activeElement.innerText") != "Tokenizers":
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#cuts .token")


def test_a_screen_reader_has_labels_and_hears_the_verdict_once_it_stands(
    visit: "Callable[..., Page]", predictor: Predictor
) -> None:
    page = visit()
    box = page.get_by_role("textbox", name="Your review")
    box.fill(GOOD)
    verdict(page, predictor, GOOD)
    page.wait_for_function("document.querySelector('#spoken').innerText.length > 0")

    assert page.locator("#spoken").get_attribute("aria-live") == "polite"
    assert "Probability of positive" in (page.locator("#scale").get_attribute("aria-label") or "")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_by_role("heading", level=1).inner_text() == "Sentiment of reviews"
    assert page.get_by_role("tab").count() == 4
    nameless = "[...document.querySelectorAll('button, input, textarea')].filter(at => at.checkVisibility() && !"
    nameless += "(at.innerText || at.ariaLabel || at.title || at.labels?.length || at.getAttribute('aria-labelledby')))"
    assert page.evaluate(f"{nameless}.map(at => at.outerHTML)") == []


def test_a_phone_needs_no_sideways_scrolling(visit: "Callable[..., Page]") -> None:
    page = visit(viewport={"width": 360, "height": 740})
    page.locator("#review").fill("superb" * 100)
    page.wait_for_selector("#words .word")
    for name in ("Write", "File", "Tokenizers", "Model"):
        open_tab(page, name)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
    open_tab(page, "Write")
    box, result = page.locator("#review").bounding_box(), page.locator("#verdict").bounding_box()
    assert box is not None
    assert result is not None
    assert result["y"] >= box["y"] + box["height"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_is_readable_in_light_and_dark(visit: "Callable[..., Page]", predictor: Predictor, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    page.locator("#review").fill(GOOD)
    verdict(page, predictor, GOOD)
    page.wait_for_selector("#words .word")
    page.wait_for_timeout(300)
    brightness = "colour => { const c = document.createElement('canvas').getContext('2d'); c.fillStyle = colour;"
    brightness += "c.fillRect(0, 0, 1, 1); const part = [...c.getImageData(0, 0, 1, 1).data].slice(0, 3)"
    brightness += ".map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);"
    brightness += "return .2126 * part[0] + .7152 * part[1] + .0722 * part[2]; }"
    panel = page.locator("#verdict").evaluate("at => getComputedStyle(at).backgroundColor")
    behind = page.evaluate(brightness, panel)
    assert (behind < 0.1) == (scheme == "dark")
    for place in ("#sentiment", "#confidence", "#why", ".ends", "#words"):
        colour = page.locator(place).first.evaluate("at => getComputedStyle(at).color")
        front = page.evaluate(brightness, colour)
        contrast = (max(front, behind) + 0.05) / (min(front, behind) + 0.05)
        assert contrast >= 4.5, place


def test_two_users_at_once_get_their_own_answers(visit: "Callable[..., Page]", predictor: Predictor) -> None:
    first, second = visit(), visit()
    for text, other in ((GOOD, BAD), (BAD, GOOD)):
        first.locator("#review").fill(text)
        second.locator("#review").fill(other)
        verdict(first, predictor, text)
        verdict(second, predictor, other)


def test_the_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(
    browser: "Browser", start: Callable[..., Running], predictor: Predictor
) -> None:
    server = start()
    visit = Visit(browser, server.url)
    page = visit.page
    page.locator("#review").fill(GOOD)
    verdict(page, predictor, GOOD)
    server.signal(signal.SIGKILL)
    server.process.wait()
    page.locator("#review").fill(BAD)
    page.wait_for_function("document.querySelector('#status').innerText.includes('does not answer')")
    start(port=server.port)
    verdict(page, predictor, BAD)
    assert page.locator("#status").inner_text() == ""
    visit.context.close()


def test_the_documentation_of_the_api_opens_without_another_host(browser: "Browser", server: Running) -> None:
    context = browser.new_context()
    page = context.new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(f"{server.url}docs")
    page.get_by_text("/v1/predict").first.wait_for()
    context.close()

    assert hosts <= {urlsplit(server.url).netloc, ""}
