"""Why a text has its score: what changes when a word is left out, and how each part of a long text scores by itself."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from sentiment.serving.predictor import Predictor
from sentiment.text.sentences import sentences_of

MOST = 48
"""Words left out one by one; those of a longer text are grouped, so that the answer comes while one types."""
MOST_PARTS = 48
WORD = re.compile(r"\S+\s*")
EDGE = 1e-6


def segments(text: str, most: int = MOST) -> list[slice]:
    """Cut a text into at most `most` neighbouring pieces of whole words that together are the text."""
    starts = [word.start() for word in WORD.finditer(text)]
    starts = starts[:: max(1, math.ceil(len(starts) / most))]
    # Blanks before the first word belong to it.
    return [slice(start, stop) for start, stop in pairwise([0, *starts[1:], len(text)])]


def explain(score: float, without: Sequence[float]) -> list[float]:
    """Return each piece's weight: by how much the log odds fall when it is left out.

    `score` is the whole text's, `without` those of the text without each piece.
    """
    return [round(_log_odds(score) - _log_odds(other), 4) for other in without]


def parts_of(text: str, predictor: Predictor) -> list[slice]:
    """Cut a text that the model can't read whole into parts of whole sentences that it can; return [] for others."""
    limit = predictor.preprocessing.tokenize.max_length
    sentences = sentences_of(text)
    tokens = [encoded.tokens for encoded in predictor.encode([text, *(text[sentence] for sentence in sentences)])]
    if tokens[0] <= limit:
        return []
    # A very long text gets longer parts, each of which the model truncates as it does any long text.
    room = max(limit, math.ceil(2 * sum(tokens[1:]) / MOST_PARTS))
    parts: list[slice] = []
    filled = room
    for sentence, count in zip(sentences, tokens[1:], strict=True):
        if filled + count > room:
            parts.append(sentence)
            filled = count
        else:
            parts[-1] = slice(parts[-1].start, sentence.stop)
            filled += count
    return parts


def _log_odds(score: float) -> float:
    inside = min(max(score, EDGE), 1 - EDGE)
    return math.log(inside / (1 - inside))
