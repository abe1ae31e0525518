"""The page without a mouse, without sight, on a phone, in light and in dark."""

from typing import TYPE_CHECKING

import pytest

from sentiment.serving.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

from tests.app.visit import GOOD, open_tab, verdict


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
    page.wait_for_function("document.querySelector('#spoken')?.innerText.length > 0")

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
