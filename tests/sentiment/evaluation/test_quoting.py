import re

from hypothesis import given
from hypothesis import strategies as st

from sentiment.evaluation.quoting import SPECIAL, WIDTH, escape_markdown, quote


@given(st.text())
def test_a_quoted_text_is_one_line_of_limited_length(text: str) -> None:
    line = quote(text)
    assert len(line) <= WIDTH
    assert len(line.splitlines()) <= 1


def test_a_long_text_is_cut_between_words_and_a_short_one_stays() -> None:
    assert quote("so\n\nit  goes") == "so it goes"
    assert quote("word " * 100).endswith("word …")
    assert quote("x" * 1000) == "x" * (WIDTH - 1) + "…"


@given(st.text())
def test_an_escaped_text_reads_as_it_was_and_keeps_no_markup(text: str) -> None:
    shown = escape_markdown(text)
    assert re.sub(r"\\(.)", r"\1", shown, flags=re.DOTALL) == text
    assert not SPECIAL.search(re.sub(r"\\.", "", shown, flags=re.DOTALL))
