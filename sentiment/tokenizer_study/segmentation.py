"""How a tokenizer cuts reviews: fertility, truncated reviews, unknown tokens, words that stay whole."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.core.errors import UserError
from sentiment.core.files import OWN
from sentiment.text.encoding import Encoded, load_tokenizer
from sentiment.text.statistics import statistics

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
"""A word as readers count them: "isn't" is one."""

TELLING = {
    "negation": ["isn't", "unwatchable"],
    "slang": ["lol", "overhyped"],
    "emoji": ["😀", "👎", ":-("],
    "misspelling": ["definately", "sooooo"],
    "German": ["Meisterwerk", "Zeitverschwendung", "enttäuschend"],
}
"""Words that tell a verdict and that a vocabulary may lack."""


def load_own_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """Load a tokenizer from the folder of this name in own/; raise UserError where there is none."""
    folder = OWN / name
    if not folder.is_dir() or ".." in folder.parts:
        raise UserError(
            f"params.yaml: compare_tokenizers.pretrained names {name!r}, but {OWN}/ has no such folder: "
            f"put the tokenizer's files into {folder.as_posix()}, or remove the name"
        )
    return load_tokenizer(folder)


def pieces(tokenizer: "PreTrainedTokenizerBase", words: Sequence[str]) -> list[list[str]]:
    """Return the tokens of each word as it stands in a sentence, after a blank."""
    before = "a"

    def ids(texts: list[str]) -> list[list[int]]:
        return tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]

    ((*start,),) = ids([before])
    return [tokenizer.convert_ids_to_tokens(found[len(start) :]) for found in ids([f"{before} {w}" for w in words])]


def whole_words(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> float:
    """Return the share of the texts' words that are one token each, and not the unknown one."""
    words = Counter(word for text in texts for word in WORD.findall(text))
    if not words:
        return 0.0
    cuts = pieces(tokenizer, list(words))
    whole = [len(cut) == 1 and cut[0] != tokenizer.unk_token for cut in cuts]
    return sum(count for count, kept in zip(words.values(), whole, strict=True) if kept) / words.total()


def figures(
    tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], encoded: list[Encoded], max_length: int
) -> dict[str, Any]:
    """Return the figures of a tokenizer on texts, given as they are and as its Encoder encodes them.

    `fertility` is the number of tokens per word, special tokens apart; `tokens` and its percentiles count them. `cuts`
    has the pieces of every telling word.
    """
    count = sum(len(WORD.findall(text)) for text in texts)
    tokens = Counter(review.tokens for review in encoded)
    found = statistics(tokens, sum(review.unknown for review in encoded), max_length)
    special = tokenizer.num_special_tokens_to_add() * len(texts)
    telling = [word for words in TELLING.values() for word in words]
    return {
        **{name: found[name] for name in ("tokens_p50", "tokens_p95", "truncated_share", "unknown_share")},
        "vocabulary": len(tokenizer),
        "fertility": (found["tokens"] - special) / max(1, count),
        "whole_words": whole_words(tokenizer, texts),
        "cuts": dict(zip(telling, pieces(tokenizer, telling), strict=True)),
    }


def renumber(sequences: Sequence[Sequence[int]], tokenizer: "PreTrainedTokenizerBase", seed: int) -> list[list[int]]:
    """Return the ids that a tokenizer with its ordinary entries in another, random order would give."""
    names = np.arange(len(tokenizer))
    ordinary = np.setdiff1d(names, tokenizer.all_special_ids)
    names[ordinary] = np.random.default_rng(seed).permutation(ordinary)
    return [names[ids].tolist() for ids in sequences]
