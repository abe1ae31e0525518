"""Why a text has its score: what changes when words are left out, and how each part of a long text scores by itself."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sentiment.serving.predictor import Predictor
from sentiment.text.sentences import sentences_of

MOST = 96
"""Words that get a weight each; those of a longer text are grouped."""
FEW = 48
READINGS, READINGS_OF_MANY = 128, 96
"""How often a text is read, with at most FEW pieces and with more: an answer must come while one types."""
LEFT_OUT = 0.1
"""Share of the readings that lack a piece. With more, little is left of a text; with fewer, chance decides."""
CORRELATION = 0.33
"""With the log odds of the readings that keep it; a piece with less has no weight, else each "and" had some."""
JOINING = """
a an the and but or so that than if then though although while when where which who as at by for from in into of on
onto to with after before about during this these those there i me my myself you your yourself he him his she her it
its we us our ourselves they them their am is are was were be been being has have had do does did will would
"""
"""English articles, conjunctions, prepositions, pronouns and auxiliaries: they tie words together and judge nothing.

What negates, as "not" and "without", is none of them.
"""
STEPS = 500
HALVINGS = 2
MOST_PARTS = 48
WORD = re.compile(r"\S+\s*")
MARKS = ".,;:!?\"'()"
EDGE = 1e-6


def segments(text: str, most: int = MOST) -> list[slice]:
    """Cut a text into at most `most` neighbouring pieces of whole words that together are the text."""
    starts = [word.start() for word in WORD.finditer(text)]
    starts = starts[:: max(1, math.ceil(len(starts) / most))]
    # Blanks before the first word belong to it.
    return [slice(start, stop) for start, stop in pairwise([0, *starts[1:], len(text)])]


def variations(pieces: int) -> NDArray[np.bool_]:
    """Draw which pieces each reading of a text keeps, bool [readings, pieces]; the first keeps them all.

    The same number of pieces always gets the same draw, in which each piece is left out equally often.
    """
    readings = (READINGS if pieces <= FEW else READINGS_OF_MANY) - 1
    kept = np.tile(np.arange(readings) >= round(LEFT_OUT * readings), (pieces, 1))
    drawn = np.random.default_rng(0).permuted(kept, axis=1).T
    return np.vstack([np.ones((1, pieces), bool), drawn])


def explain(pieces: Sequence[str], kept: NDArray[np.bool_], scores: Sequence[float]) -> list[float]:
    """Return each piece's weight: by how much the log odds fall on average without it, less a margin for chance.

    `kept` is bool [readings, pieces], `scores` are probabilities of positive [readings]. The weights are those of a
    lasso, as in LIME (Ribeiro et al. 2016). Pieces of JOINING words alone have none: a "but" may turn a score, but is
    not the reason. Where no other piece has one, the margin is halved, as something must have made up the verdict.
    """
    inside = np.clip(scores, EDGE, 1 - EDGE)
    log_odds = np.log(inside / (1 - inside))
    joining = set(JOINING.split())
    judging = np.array([not {word.strip(MARKS) for word in piece.lower().split()} <= joining for piece in pieces])
    weights = np.zeros(len(pieces))
    for halvings in range(HALVINGS + 1):
        weights = _lasso(kept, log_odds, CORRELATION / 2**halvings) * judging
        if weights.any():
            break
    # Not -0.0, which JSON would show.
    return (weights.round(4) + 0.0).tolist()


def _lasso(kept: NDArray[np.bool_], log_odds: NDArray[np.float64], correlation: float) -> NDArray[np.float64]:
    """Return the weights of pieces, found by proximal gradient steps (ISTA)."""
    present = kept - kept.mean(0)
    products = present.T @ present / len(kept)
    gains = present.T @ (log_odds - log_odds.mean()) / len(kept)
    step = 1 / np.linalg.norm(products, 2)
    margin = correlation * log_odds.std() * kept.std(0)
    weights = np.zeros(kept.shape[1])
    for _ in range(STEPS):
        moved = weights + step * (gains - products @ weights)
        weights = np.sign(moved) * np.maximum(np.abs(moved) - step * margin, 0)
    return weights


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
