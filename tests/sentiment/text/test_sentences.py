import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.text.sentences import parts, sentences, sentences_of

TEXTS = st.text(st.sampled_from("ab .!?…\n\"')"), max_size=80)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Good. Bad! Why? So… Yes", ["Good. ", "Bad! ", "Why? ", "So… ", "Yes"]),
        ('He said "no." I left.', ['He said "no." ', "I left."]),
        ("One line\nanother line\n\nthe last", ["One line\n", "another line\n\n", "the last"]),
        ("It cost 3.50 at example.com", ["It cost 3.50 at example.com"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_a_sentence_ends_where_its_mark_meets_a_blank_and_where_its_line_does(text: str, expected: list[str]) -> None:
    assert [text[place] for place in sentences_of(text)] == expected
    assert sentences(text) == [sentence.strip() for sentence in expected]


@given(text=TEXTS, count=st.integers(1, 12))
def test_parts_are_the_text_cut_between_sentences(text: str, count: int) -> None:
    cut = parts(text, count)

    assert "".join("".join(cut).split()) == "".join(text.split())
    assert 1 <= len(cut) <= max(1, min(count, len(sentences_of(text))))
    assert len(cut) == 1 or all(cut)


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=20), count=st.integers(1, 6))
def test_parts_are_of_like_length(sizes: list[int], count: int) -> None:
    text = " ".join("a" * size + "." for size in sizes)

    assert max(map(len, parts(text, count))) <= len(text) / count + max(sizes) + 2


def test_one_part_is_the_text_to_the_letter() -> None:
    assert parts(" Good.  Bad. ", 1) == [" Good.  Bad. "]
    assert parts(" no sentence ends here ", 3) == [" no sentence ends here "]


def test_a_text_is_cut_at_the_end_of_the_sentence_closest_to_an_even_cut() -> None:
    assert parts("A. B. C. D.", 2) == ["A. B.", "C. D."]
    assert parts("A. B.", 5) == ["A.", "B."]
    assert parts("A long sentence first. B. C.", 2) == ["A long sentence first.", "B. C."]
