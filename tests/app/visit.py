"""A browser's visit to the page."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sentiment.serving.predictor import Predictor

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
        assert self.hosts <= {urlsplit(url).netloc, ""}, self.hosts
        assert self.faults == [], self.faults


def verdict(page: "Page", predictor: Predictor, text: str) -> None:
    """Wait until the page shows what the model says of the text."""
    (score,) = predictor.score_texts([text])
    decision = predictor.decision
    positive = bool(decision.positive(score))
    label = "positive" if positive else "negative"
    page.wait_for_function(f"document.querySelector('#verdict')?.style.getPropertyValue('--score') == {score:.6f}")
    kind = "unsure" if decision.unsure(score) else label
    assert page.locator("#verdict").get_attribute("data-kind") == kind
    assert page.locator("#sentiment").inner_text().lower() == kind
    assert f"{round(100 * (score if positive else 1 - score))} %" in page.locator("#confidence").inner_text()
    for end in ("low", "high"):
        drawn = page.locator("#scale").evaluate(f"scale => scale.style.getPropertyValue('--{end}')")
        assert float(drawn) == getattr(decision, end)


def open_tab(page: "Page", name: str) -> None:
    page.get_by_role("tab", name=name).click()
