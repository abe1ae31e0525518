"""Pieces of the page's HTML. Every text that comes from elsewhere is escaped here."""

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from app.api import Prediction
from app.files import Outcome
from app.service import Model
from sentiment.model.decision import Decision

BARS = 20
SHOWN = 5
EXAMPLES = {
    "Praise": "I went in expecting nothing and came out grinning. The two leads are a joy to watch.",
    "Complaint": "Two hours of people walking down corridors. I have seen livelier car parks.",
    "Mixed": "The hotel had a lovely pool, but the room was dirty and nobody cared when we told them.",
    "Negation": "It is not as bad as everyone says, and I would not mind seeing it again.",
}
TOKENIZED = "It isn't unwatchable, just sooooo overhyped 😀"
RESULTS = (
    ("accuracy", "Accuracy"),
    ("f1", "F1"),
    ("roc_auc", "ROC AUC"),
    ("ece", "Calibration error"),
    ("log_loss", "Log loss"),
)


def live(decision: Decision) -> str:
    """Return the box to write in, and the place where page.js puts the verdict and the zone of doubt as it is then."""
    examples = "".join(
        f'<button type="button" class="chip" data-example="{escape(text)}">{escape(name)}</button>'
        for name, text in EXAMPLES.items()
    )
    low, high = decision.low, decision.high
    return f"""
<div class="live">
  <div class="write">
    <label for="review">Your review</label>
    <textarea id="review" rows="8" spellcheck="false" aria-describedby="hint"
      placeholder="Type or paste a review of anything; the verdict follows as you type."></textarea>
    <div class="under"><span id="hint">In English. Nothing is stored.</span>
      <span id="count" aria-hidden="true"></span></div>
    <div class="chips" role="group" aria-label="Examples"><span>Try</span>{examples}
      <button type="button" class="chip quiet" id="clear">Clear</button></div>
  </div>
  <section class="verdict" id="verdict" data-kind="none" aria-label="Verdict">
    <div class="headline"><strong id="sentiment">Waiting for words</strong><span id="confidence"></span></div>
    <div class="scale" role="img" aria-label="No verdict yet" id="scale" style="--low:{low};--high:{high}">
      <div class="doubt"></div><div class="needle"></div></div>
    <div class="ends" aria-hidden="true"><span>negative</span><span>unsure</span><span>positive</span></div>
    <p class="say" id="say"></p>
    <h3 id="why" hidden>Words that carried it</h3>
    <p class="words" id="words"></p>
    <div class="legend" id="legend" hidden><span class="word for">speaks for positive</span>
      <span class="word against">speaks for negative</span></div>
    <h3 id="parted" hidden>Part by part</h3>
    <ol class="parts" id="parts"></ol>
    <p class="status" id="status" role="status"></p>
    <div class="unseen" id="spoken" aria-live="polite" aria-atomic="true"></div>
  </section>
</div>"""


def trouble(message: str) -> str:
    return f'<div class="trouble" role="alert">{escape(message)}</div>'


def note(sentence: str) -> str:
    return f'<p class="note" role="status">{escape(sentence)}</p>'


def summary(outcome: Outcome, decision: Decision) -> str:
    """Return how many reviews are positive, negative and unsure, the spread of the scores, and what else to know."""
    verdicts = [Prediction.of(score, decision) for score in outcome.scores]
    total = len(verdicts)
    counts = {
        "positive": sum(one.sentiment == "positive" and not one.unsure for one in verdicts),
        "unsure": sum(one.unsure for one in verdicts),
        "negative": sum(one.sentiment == "negative" and not one.unsure for one in verdicts),
    }
    tiles = "".join(
        f'<div class="tile {name}"><strong>{count:,}</strong><span>{name}, {count / max(1, total):.0%}</span></div>'
        for name, count in counts.items()
    )
    bars = [0] * BARS
    for score in outcome.scores:
        bars[min(int(score * BARS), BARS - 1)] += 1
    highest = max([*bars, 1])
    drawn = "".join(
        f'<i style="height:{100 * count / highest:.1f}%" class="{_side((place + 0.5) / BARS, decision)}" '
        f'title="{place / BARS:.2f} to {(place + 1) / BARS:.2f}: {count:,}"></i>'
        for place, count in enumerate(bars)
    )
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    aside = ""
    if outcome.rejected:
        rows = "".join(f"<li>{escape(reason)}</li>" for reason in outcome.rejected[:SHOWN])
        more = len(outcome.rejected) - SHOWN
        rest = f"<li>and {more:,} more, in the second file</li>" if more > 0 else ""
        aside = f"<h3>{len(outcome.rejected):,} rows set aside</h3><ul>{rows}{rest}</ul>"
    notes = "".join(f"<p>{escape(note[0].upper() + note[1:])}.</p>" for note in outcome.notes)
    return f"""<div class="summary" role="status"><p>{total:,} reviews read.</p>{notes}<div class="tiles">{tiles}</div>
<div class="histogram" role="img" aria-label="Spread of the scores: {told}">{drawn}</div>
<div class="ends" aria-hidden="true"><span>score 0</span><span>0.5</span><span>1</span></div>{aside}</div>"""


def _side(score: float, decision: Decision) -> str:
    one = Prediction.of(score, decision)
    return "unsure" if one.unsure else one.sentiment


def cuts(model: Model, text: str) -> str:
    """Return how each tokenizer cuts a text, with what the comparison found about it."""
    compared = model.metrics.get("tokenizers", {}).get("tokenizers", {})
    return "".join(
        _cut(name, tokens, unknown, compared.get(name))
        for name, path in model.tokenizers.items()
        for tokens, unknown in [_tokens(path, path.stat().st_mtime_ns, text)]
    )


def _tokens(path: Path, changed: int, text: str) -> tuple[list[str], str | None]:
    tokenizer, unknown = _tokenizer(path, changed)
    return tokenizer.encode(text, add_special_tokens=False).tokens, unknown


@lru_cache(maxsize=32)
def _tokenizer(path: Path, _changed: int) -> tuple[Any, str | None]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return tokenizer, getattr(tokenizer.model, "unk_token", None)


def _cut(name: str, tokens: Sequence[str], unknown: str | None, found: dict[str, Any] | None) -> str:
    pieces = "".join(
        f'<span class="token t{place % 4}{" unknown" if token in {unknown, "[UNK]"} else ""}">{escape(token)}</span>'
        for place, token in enumerate(tokens)
    )
    facts = f"{len(tokens)} token{'' if len(tokens) == 1 else 's'}"
    if found:
        facts += f" · {found['vocabulary']:,} entries · accuracy {found['accuracy']:.3f}"
    head = f'<h3>{escape(name)}</h3><p class="facts">{facts}</p>'
    return f'<article class="cut">{head}<p class="tokens">{pieces}</p></article>'


def facts(model: Model) -> str:
    """Return the metrics of the served model as tables."""
    evaluated = model.metrics.get("evaluate", {})
    rows = "".join(
        f"<tr><th scope='row'>{title}</th><td>{evaluated[name]:.3f}{_interval(evaluated, name)}</td></tr>"
        for name, title in RESULTS
        if name in evaluated
    )
    cross = "".join(
        f"<tr><th scope='row'>{escape(name.removeprefix('cross/'))}</th><td>{found['accuracy']:.3f}"
        f"{_interval(found, 'accuracy')}</td><td>{found['n']:,}</td></tr>"
        for name, found in model.metrics.items()
        if name.startswith("cross/")
    )
    tables = ""
    if rows:
        tables += f"<h3>On the test reviews ({evaluated['n']:,})</h3><table>{rows}</table>"
    if cross:
        head = "<tr><th scope='col'>reviews</th><th scope='col'>accuracy</th><th scope='col'>number</th></tr>"
        tables += f"<h3>On reviews of other kinds</h3><table>{head}{cross}</table>"
    return f'<div class="facts-of"><p>Model <code>{model.identity}</code></p>{tables}</div>'


def _interval(found: dict[str, Any], name: str) -> str:
    low, high = found.get(f"{name}_low"), found.get(f"{name}_high")
    return "" if low is None else f" <small>{low:.3f} to {high:.3f}</small>"
