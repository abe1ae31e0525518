import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.params import Cleaning
from sentiment.reviews.selection import content_id, content_ids, select, survey, tidy
from sentiment.text.cleaning import clean

TEXTS = st.text(max_size=12) | st.text("aA bé<r/>\u0301\u0085\u00a0\n\x1f", max_size=12)
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from([0, 1])), min_size=1, max_size=12)
CLEANINGS = st.builds(Cleaning, html_breaks=st.booleans())


def usable(parts: list[pa.Table], cleaning: Cleaning) -> tuple[pa.Table, dict[str, int]]:
    """Survey a table given in parts, select all that can be used, and tidy it."""
    found = survey(parts, cleaning)
    rows = list(select(parts, found.ids, found.usable, cleaning))
    nothing = pa.table({"id": pa.array([], pa.uint64()), **parts[0].slice(0, 0).to_pydict()})
    reviews = tidy(pa.concat_tables(rows)) if rows else nothing
    assert reviews["label"].to_pylist() == found.usable.label.tolist()
    return reviews, found.counts


def table_of(rows: list[tuple[str, int]]) -> pa.Table:
    texts, labels = zip(*rows, strict=True)
    return pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.int8())})


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("fine.<br /><br />Really <BR>fine<br/>", "fine. Really fine"),
        ("a <br/> \n <br /> b", "a b"),
        ("a\x00b\x1fc\x7fd\x9fe", "a b c d e"),
        ("line\nline\ttab\r\n", "line\nline\ttab"),
        ("e\u0301te\u0301", "été"),
        ("  \u00a0\u2003text\u3000 ", "text"),
        ("日本語 é 😀", "日本語 é 😀"),
        ("<break> <b>bold</b>", "<break> <b>bold</b>"),
    ],
)
def test_cleaning_takes_what_the_parameters_say_and_no_more(cleaning: Cleaning, text: str, cleaned: str) -> None:
    assert clean(pa.array([text]), cleaning).to_pylist() == [cleaned]


def test_line_breaks_of_web_pages_stay_where_they_are_asked_to() -> None:
    assert clean(pa.array([" a<br /> b\x00c "]), Cleaning(html_breaks=False)).to_pylist() == ["a<br /> b c"]


@given(texts=st.lists(TEXTS, min_size=1, max_size=8), cleaning=CLEANINGS)
def test_cleaning_twice_is_cleaning_once(texts: list[str], cleaning: Cleaning) -> None:
    once = clean(pa.array(texts, pa.string()), cleaning)
    assert clean(once, cleaning).equals(once)


@pytest.mark.parametrize(("one", "other"), [("Good Film", "good  film\n"), ("STRASSE", "straße"), ("a\u00a0b", "a b")])
def test_texts_that_differ_in_case_and_blanks_only_share_their_id(one: str, other: str) -> None:
    assert content_id(one) == content_id(other) != content_id(one + "x")


@given(texts=st.lists(TEXTS, max_size=4))
def test_ids_are_spelled_as_hex_digits_or_counted_as_numbers(texts: list[str]) -> None:
    assert [f"{number:016x}" for number in content_ids(texts)] == [content_id(text) for text in texts]


@given(rows=ROWS, cleaning=CLEANINGS, data=st.data())
def test_every_row_is_kept_or_counted_and_neither_their_order_nor_their_parts_have_an_influence(
    rows: list[tuple[str, int]], cleaning: Cleaning, data: st.DataObject
) -> None:
    reviews, counts = usable([table_of(rows)], cleaning)
    texts, ids = reviews["text"].to_pylist(), reviews["id"].to_pylist()
    assert counts["read"] == len(rows)
    assert len(texts) + sum(counts.values()) == 2 * len(rows)
    assert ids == sorted(set(ids))
    assert all(text.strip() for text in texts)
    assert [content_id(text) for text in texts] == ids
    shuffled = table_of(data.draw(st.permutations(rows)))
    cut = data.draw(st.integers(0, len(rows)))
    again, counts_then = usable([shuffled.slice(0, cut), shuffled.slice(cut)], cleaning)
    assert again.equals(reviews)
    assert counts_then == counts


def test_empty_contradictory_and_duplicate_rows_are_dropped_and_counted_apart(cleaning: Cleaning) -> None:
    rows = [("good", 1), ("Good ", 1), ("odd", 0), ("ODD", 1), ("odd<br>", 1), ("<br /> \x00", 0), ("", 1), ("bad", 0)]
    reviews, counts = usable([table_of(rows)], cleaning)
    kept = zip(reviews["text"].to_pylist(), reviews["label"].to_pylist(), strict=True)
    assert sorted(kept) == [("Good", 1), ("bad", 0)]
    assert counts == {"read": 8, "empty": 2, "contradictory": 3, "duplicate": 1}
    assert reviews.schema.types == [pa.string(), pa.large_string(), pa.int8()]


def test_a_table_without_any_text_is_all_counted_as_empty(cleaning: Cleaning) -> None:
    found = survey([table_of([(" ", 0), ("<br>", 1)])], cleaning)
    assert (len(found.usable), found.counts["empty"]) == (0, 2)
