from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.params import Params, Spelling
from sentiment.text.encoding import Encoder
from sentiment.text.spelling import FEWEST, Spelled, count_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ENGLISH = "the plot was dull, and its cast was a very poor cast. a good book and a great film!"
FOREIGN = {
    "German": "das Buch war leider sehr langweilig, und die Figuren blieben blass bis zum Schluss.",
    "Chinese": "这部电影非常好看。演员的表演很自然。故事也很感人。",
    "Russian": "Фильм оказался намного лучше, чем я ожидал, и актёры играют превосходно.",
    "emoji": "😀 😡 👎 👍 🎉 🍕 ✨ 🙈",
}


@pytest.fixture(scope="module")
def byte_level() -> "PreTrainedTokenizerBase":
    """A tokenizer of bytes, as GPT-2's, that has learnt English words; to it no text is unknown."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([ENGLISH] * 5, vocab_size=1000, min_frequency=1, show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer, pad_token="!", model_max_length=64)


def spelled(tokenizer: "PreTrainedTokenizerBase", params: Params, text: str) -> Spelled:
    return Spelled.sum(review.spelled for review in Encoder(tokenizer, params.tokenize, {})([text]))


@pytest.mark.parametrize("kind", ["word pieces", "bytes"])
@pytest.mark.parametrize("language", FOREIGN)
def test_other_languages_than_the_trainings_are_strange_to_every_kind_of_tokenizer(
    language: str,
    kind: str,
    tokenizer: "PreTrainedTokenizerBase",
    byte_level: "PreTrainedTokenizerBase",
    params_with: Callable[..., Params],
) -> None:
    params = params_with(tokenize={"max_length": 64})
    used = tokenizer if kind == "word pieces" else byte_level
    usual = spelled(used, params, ENGLISH).spelling
    strange = spelled(used, params, FOREIGN[language]).strange(usual)

    assert strange is not None
    unknown = kind == "word pieces" and language != "German"
    assert ("of their tokens are unknown" if unknown else "their words take") in strange
    assert spelled(used, params, "a very dull film, and the cast was good!").strange(usual) is None


def test_named_emoji_are_words_as_others_are(
    tokenizer: "PreTrainedTokenizerBase", params_with: Callable[..., Params]
) -> None:
    params = params_with(tokenize={"max_length": 64})
    encode = Encoder(tokenizer, params.tokenize, {"👍": "good", "👎": "bad"})
    (review,) = encode(["👍👎 👍👍👎👍"])

    assert review.spelled == Spelled(6, 6, 0)
    assert review.spelled.strange(Spelling(tokens_per_word=1, unknown_share=0)) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("It isn't bad!!", 7),
        ("很好看。 ok", 5),
        ("おもしろい", 5),
        ("Ein Überfluß\tan 3,50 €", 7),
        ("재미있어요", 1),
    ],
)
def test_words_are_runs_of_letters_marks_and_signs_of_scripts_without_blanks(text: str, words: int) -> None:
    assert count_words(text) == words


counts = st.builds(
    lambda words, tokens, unknown: Spelled(words, tokens, min(unknown, tokens)),
    st.integers(0, 1000),
    st.integers(0, 5000),
    st.integers(0, 5000),
)


@given(counts)
def test_what_is_spelled_as_usual_is_not_strange_and_a_few_words_never_are(spelled: Spelled) -> None:
    assert spelled.strange(spelled.spelling) is None
    assert spelled.strange(None) is None
    if spelled.words < FEWEST:
        assert spelled.strange(Spelling(tokens_per_word=0, unknown_share=0)) is None


@given(counts, st.integers(2, 50))
def test_the_same_spelling_of_more_words_is_no_less_strange(spelled: Spelled, times: int) -> None:
    usual = Spelling(tokens_per_word=1.2, unknown_share=0.02)
    if spelled.strange(usual):
        assert Spelled.sum([spelled] * times).strange(usual)
