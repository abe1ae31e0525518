from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.core.params import Tokenize
from sentiment.text.emoji import EmojiNames, unknown_emoji
from sentiment.text.encoding import Encoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NAMES = {"👎": "thumbs down", "❤": "red heart", "❤‍🔥": "heart on fire", "🔥": "fire", "🇮🇹": "Italy"}
PARAMS = Tokenize(max_length=64, train_max_length=None, head_share=0.25, parts=[1])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("so bad👎👎", "so bad thumbs down  thumbs down "),
        ("👎🏽", " thumbs down "),
        ("❤️", " red heart "),
        ("❤️‍🔥", " heart on fire "),
        ("pizza 🇮🇹!", "pizza  Italy !"),
        ("naïve — 5 €", "naïve — 5 €"),
        ("☃️ stays", "☃ stays"),
    ],
)
def test_an_emoji_becomes_its_name_without_modifiers_and_the_longest_counts(text: str, named: str) -> None:
    assert EmojiNames(NAMES)(text) == named


@given(text=st.text(st.sampled_from("ab ❤🔥👎🏽\ufe0f\u200d"), max_size=12))
def test_no_emoji_is_left_and_nothing_else_is_touched(text: str) -> None:
    named = EmojiNames(NAMES)(text)
    assert not set(named) & {"❤", "🔥", "👎", "\ufe0f"}
    assert EmojiNames(NAMES)(named) == named
    assert EmojiNames({})(text) == text


def test_emoji_are_named_where_the_tokenizer_cannot_spell_them(tokenizer: "PreTrainedTokenizerFast") -> None:
    names = unknown_emoji(tokenizer)
    assert (names["👎"], names["😡"], names["👩‍🚀"]) == ("thumbs down", "enraged face", "woman astronaut")
    assert not any("\ufe0f" in emoji for emoji in names)
    (by_name, by_emoji) = Encoder(tokenizer, PARAMS)(["good film thumbs down", "good film👎"])
    assert by_emoji == by_name


def test_emoji_that_the_tokenizer_has_stay(tokenizer: "PreTrainedTokenizerFast") -> None:
    from transformers import PreTrainedTokenizerFast

    spelling = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, unk_token=None)
    assert unknown_emoji(spelling) == {}


def test_a_model_names_the_emoji_that_its_preprocessing_lists(tokenizer: "PreTrainedTokenizerFast") -> None:
    (named, as_good) = Encoder(tokenizer, PARAMS, {"🦄": "good"})(["a film 🦄", "a film good"])
    assert named == as_good
    (other,) = Encoder(tokenizer, PARAMS, {"🦄": "good"})(["👎"])
    assert other.unknown == 1
