"""Emoji as words, for tokenizers that can't spell them: to such a model 👎 and 👍 are the same unknown token.

Names are those of Unicode's CLDR, as the package emoji has them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MODIFIERS = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")
"""Skin tones, and the sign that asks for a coloured picture: a text says the same without them."""


class EmojiNames:
    """Write the names of emoji in their places: `names` has each emoji, without modifiers, and its name."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self._any = re.compile("|".join(map(re.escape, by_length(names))))

    def __call__(self, text: str) -> str:
        """Return the text with each emoji's name between blanks, and without modifiers."""
        if text.isascii() or not self.names:
            return text
        return self._any.sub(lambda emoji: f" {self.names[emoji[0]]} ", MODIFIERS.sub("", text))


def by_length(emoji: Iterable[str]) -> list[str]:
    """Return emoji with the longest first, as some are made of others."""
    return sorted(emoji, key=len, reverse=True)


def unknown_emoji(tokenizer: "PreTrainedTokenizerBase") -> dict[str, str]:
    """Return the emoji, without modifiers, that the tokenizer can't spell, each with its English name."""
    from emoji import EMOJI_DATA

    if tokenizer.unk_token_id is None:
        return {}
    emoji = [text for text in EMOJI_DATA if not MODIFIERS.search(text)]
    encoded = tokenizer(emoji, add_special_tokens=False)["input_ids"]
    unknown = (text for text, ids in zip(emoji, encoded, strict=True) if tokenizer.unk_token_id in ids)
    return {text: EMOJI_DATA[text]["en"].strip(":").replace("_", " ") for text in unknown}
