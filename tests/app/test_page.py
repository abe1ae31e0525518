"""The page in a browser, as people use it."""

import csv
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from sentiment.serving.predictor import Predictor
from tests.app.conftest import SCRIPT, Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

from tests.app.visit import BAD, GOOD, Visit, open_tab, verdict


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
    page.wait_for_function("document.querySelector('#verdict')?.dataset.busy === ''")
    page.wait_for_timeout(500)
    page.locator("#review").fill(BAD)
    verdict(page, predictor, BAD)
    held[0].continue_()
    page.wait_for_timeout(300)
    verdict(page, predictor, BAD)


def test_the_words_are_coloured_by_what_they_speak_for(visit: "Callable[..., Page]") -> None:
    page = visit()
    page.locator("#review").fill("superb superb, awful awful")
    page.wait_for_selector("#words .for")

    assert page.locator("#words").inner_text() == "superb superb, awful awful"
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


def test_a_text_in_another_language_gets_its_verdict_with_a_warning(visit: "Callable[..., Page]") -> None:
    page = visit()
    page.locator("#review").fill("das Buch war leider sehr langweilig und schlecht")
    page.wait_for_selector("#words .word")

    assert "it may not know this language" in page.locator("#say").inner_text()
    page.locator("#review").fill("the film was superb and its cast was great")
    page.wait_for_function("document.getElementById('say').textContent === ''")


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
    page.wait_for_selector("button.primary:enabled")
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


def test_what_a_file_does_not_say_is_filled_in(visit: "Callable[..., Page]", tmp_path: Path) -> None:
    upload = tmp_path / "reviews.csv"
    upload.write_text("So good that I went again;1\nSo bad that I left;0\n")
    page = visit()
    open_tab(page, "File")
    page.set_input_files("input[type=file]", upload)
    page.wait_for_selector("#summary .trouble")
    assert "1 is a number" in page.locator("#summary").inner_text()
    page.get_by_role("button", name="If it is read wrongly").click()
    page.get_by_label("Columns").fill("text,label")
    page.get_by_role("button", name="Look at the file again").click()
    page.wait_for_selector("button.primary:enabled")
    assert "its delimiter is the semicolon" in page.locator("#summary").inner_text()
    page.get_by_role("button", name="Read the reviews").click()
    page.wait_for_selector("#summary .histogram")
    assert "2 reviews read" in page.locator("#summary").inner_text()


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
    page.wait_for_function("document.querySelector('#cuts .tokens')?.innerText.startsWith('superb')")

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


def test_two_users_at_once_get_their_own_answers(visit: "Callable[..., Page]", predictor: Predictor) -> None:
    first, second = visit(), visit()
    for text, other in ((GOOD, BAD), (BAD, GOOD)):
        first.locator("#review").fill(text)
        second.locator("#review").fill(other)
        verdict(first, predictor, text)
        verdict(second, predictor, other)


@pytest.mark.slow
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
    page.wait_for_function("document.querySelector('#status')?.innerText.includes('does not answer')")
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
