"""Cleaning and the names of emoji as a tokenizer's own normalizer: whoever loads it needs nothing of this project.

The project itself does both before it tokenizes, which takes a fraction of a microsecond where a normalizer of two
thousand replacements takes from 0.3 to 2 ms.
"""

from typing import TYPE_CHECKING

from sentiment.core.params import Preprocessing
from sentiment.text.cleaning import BLANK, CONTROL_CHARACTERS, LINE_BREAKS
from sentiment.text.emoji import MODIFIERS, by_length

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Normalizer
    from transformers import PreTrainedTokenizerBase

FLAG = "[\U0001f1e6-\U0001f1ff]"
"""The letters of which two are a flag."""
AROUND = r"(?<![\s\S])\s+(?=\S)|(?<=\S)\s+(?![\s\S])"
"""Blanks at both ends of what is not all blank: a token that is blank, as some have them, must not become empty."""


def normalization(preprocessing: Preprocessing) -> "Normalizer":
    """Return what texts go through before they are tokenized as a normalizer.

    JavaScript reads its patterns as Python does. Its last step is its first again, which then finds nothing to do: a
    sequence within another becomes part of it, and this tells where the tokenizer's own steps begin.
    """
    from tokenizers import Regex
    from tokenizers.normalizers import NFC, Replace, Sequence

    steps = [_without_control()]
    if preprocessing.cleaning.html_breaks:
        # A match begins where blanks begin: tried from each of many blanks, it would take their number squared.
        steps.append(Replace(Regex(f"(?<!{BLANK}){LINE_BREAKS}"), " "))
    steps += [NFC(), Replace(Regex(AROUND), "")]
    if preprocessing.emoji:
        # Flags in a row are pairs from the left, whatever flag the end of one and the start of the next would make.
        between = f"(?<={FLAG})(?=(?:{FLAG}{FLAG})+(?!{FLAG}))"
        steps += [Replace(Regex(MODIFIERS.pattern), ""), Replace(Regex(between), " ")]
        steps += [Replace(emoji, f" {preprocessing.emoji[emoji]} ") for emoji in by_length(preprocessing.emoji)]
    return Sequence([*steps, _without_control()])


def self_contained(tokenizer: "PreTrainedTokenizerBase", preprocessing: Preprocessing) -> "PreTrainedTokenizerBase":
    """Return a tokenizer that does by itself all that texts go through, but for the choice of a long one's parts.

    It is of no family, as a family's class would build the normalizer anew. A text that says "[SEP]" means the letters,
    there are no segments, and the most tokens are those of the parameters. A tokenizer written in Python has no
    normalizer, and is returned as it is.
    """
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Sequence
    from transformers import PreTrainedTokenizerFast

    if not tokenizer.is_fast:
        return tokenizer
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    own = [backend.normalizer] if backend.normalizer else []
    backend.normalizer = Sequence([normalization(preprocessing), *own])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=preprocessing.tokenize.max_length,
        padding_side=tokenizer.padding_side,
        split_special_tokens=True,
        **tokenizer.special_tokens_map,
    )


def without_normalization(backend: "Tokenizer") -> None:
    """Take off a self-contained tokenizer what the project does before it tokenizes; leave others as they are."""
    from tokenizers.normalizers import Sequence

    normalizer = backend.normalizer
    if isinstance(normalizer, Sequence):
        steps = [normalizer[place] for place in range(len(normalizer))]
        mark = repr(_without_control())
        marks = [place for place, step in enumerate(steps) if repr(step) == mark]
        if marks:
            own = steps[marks[-1] + 1 :]
            backend.normalizer = Sequence(own) if len(own) > 1 else next(iter(own), None)


def _without_control() -> "Normalizer":
    from tokenizers import Regex
    from tokenizers.normalizers import Replace

    return Replace(Regex(CONTROL_CHARACTERS), " ")
