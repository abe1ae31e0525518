"""Whether texts are of the language and the field that a model knows, by how its tokenizer spells them.

A tokenizer spells the words of its own language with hardly more than one token each, and what it was not made for with
more, or with unknown ones. docs/tokenizers.md has the figures behind the margins.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sentiment.core.params import Spelling

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")
"""A run of letters and digits, a punctuation mark, or a sign of those scripts that put no blanks between words."""
MORE_TOKENS = 1.35
"""How many times as many tokens per word make a difference. English of any kind has up to 1.21 times as many as the
sample reviews, other languages 1.4 and more."""
MORE_UNKNOWN = 0.1
"""How much more of the tokens must be unknown. What is not known of English of any kind is up to 0.04 of them."""
FEWEST = 5
"""Words that a text needs for a judgement."""
OWN_LANGUAGE = Spelling(tokens_per_word=1.2, unknown_share=0)
"""How a pretrained tokenizer spells the language that it was made for: English with 1.01 to 1.06 tokens per word; the
rest is room for languages with longer words, and for vocabularies that many languages share."""


def count_words(text: str) -> int:
    """Return the number of a text's words; punctuation marks, and signs of Chinese and Japanese, are words."""
    return len(_WORD.findall(text))


@dataclass(frozen=True)
class Spelled:
    """How many words some texts have, how many tokens they were cut into, and how many of those are unknown."""

    words: int = 0
    tokens: int = 0
    unknown: int = 0

    def __add__(self, other: "Spelled") -> "Spelled":
        return Spelled(self.words + other.words, self.tokens + other.tokens, self.unknown + other.unknown)

    @classmethod
    def sum(cls, parts: Iterable["Spelled"]) -> "Spelled":
        return sum(parts, cls())

    @property
    def spelling(self) -> Spelling:
        return Spelling(
            tokens_per_word=self.tokens / max(1, self.words), unknown_share=self.unknown / max(1, self.tokens)
        )

    def strange(self, usual: Spelling | None) -> str | None:
        """Say what is unlike the usual spelling, as that of the training reviews; None where nothing clearly is.

        Short texts vary more, so the margins are wider for them, and none is judged by fewer than FEWEST words.
        """
        if usual is None or self.words < FEWEST:
            return None
        found = self.spelling
        if found.unknown_share > usual.unknown_share + MORE_UNKNOWN + 1 / self.words:
            return f"{found.unknown_share:.0%} of their tokens are unknown, against {usual.unknown_share:.1%}"
        if found.tokens_per_word > usual.tokens_per_word * (MORE_TOKENS + 3 / self.words):
            return f"their words take {found.tokens_per_word:.2f} tokens each, against {usual.tokens_per_word:.2f}"
        return None


def warning(reviews: str, strange: str) -> str:
    """Return the warning about reviews that are strange to a model, for the terminal and the page."""
    return (
        f"{reviews} are spelled unlike those that the model learnt from: {strange}; it may not know their language or "
        "their subject, so check its verdicts before you rely on them"
    )
