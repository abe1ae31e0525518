"""Compare the words that the page marks with those that a reader would mark, and what finding them costs.

Reads   benchmarks/explanation.yaml, app/static/page.js, and the folder of an exported model
Writes  benchmarks/explanation.json    by the way of weighing words: the share of the examples that pass, of all and of
                                       those with the right verdict; the model runs per text

    python -m benchmarks.explanation [FOLDER]    by default, models/exported

An example passes if the strongest words that the page marks for the verdict are all words that a reader would mark, and
if it marks no word, for either side, that says nothing by itself. The strongest are one word of fewer than 8, two of
fewer than 25, else three; fewer where fewer are marked, but at least one.
"""

import re
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path
from statistics import mean
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.explanation import explain, segments, variations
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.schemas import Strict, read_yaml, validate
from sentiment.serving.predictor import Predictor

EXAMPLES = Path("benchmarks/explanation.yaml")
RESULTS = Path("benchmarks/explanation.json")
PAGE = Path("app/static/page.js")
PUNCTUATION = ".,;!"
STRONGEST = ((8, 1), (25, 2))
Kept = NDArray[np.bool_]
"""Which pieces each variant of a text keeps, [variants, pieces]."""


class Example(Strict):
    text: str
    verdict: Literal["negative", "positive"]
    words: str


class Examples(Strict):
    neutral: str
    examples: list[Example]


def one_by_one(pieces: int) -> Kept:
    return np.vstack([np.ones((1, pieces), bool), ~np.eye(pieces, dtype=bool)])


def falls(_pieces: Sequence[str], _kept: Kept, scores: Sequence[float]) -> list[float]:
    """Return by how much the log odds fall in each variant but the first."""
    inside = np.clip(scores, 1e-6, 1 - 1e-6)
    log_odds = np.log(inside / (1 - inside))
    return (log_odds[0] - log_odds[1:]).tolist()


Way = tuple[Callable[[int], Kept], Callable[[Sequence[str], Kept, Sequence[float]], list[float]]]
WAYS: dict[str, Way] = {"leave one out": (one_by_one, falls), "random variants": (variations, explain)}


def constant(name: str) -> float:
    """Return a number that page.js gives a name."""
    found = re.search(rf"^const {name} = ([\d.]+);", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{PAGE} has no {name}"
    return float(found[1])


def passes(
    example: Example, pieces: Sequence[set[str]], weights: Sequence[float], sign: int, neutral: set[str]
) -> bool:
    """Return whether the page marks what a reader would; `sign` is that of the verdict."""
    expected = set(example.words.split())
    least = constant("SHOWN") * max(constant("STRONG"), *map(abs, weights))
    marked = [(sign * weight, words) for weight, words in zip(weights, pieces, strict=True) if abs(weight) >= least]
    carrying = sorted((pair for pair in marked if pair[0] > 0), key=lambda pair: -pair[0])
    length = len(example.text.split())
    strongest = carrying[: next((count for words, count in STRONGEST if length < words), 3)]
    stray = any(words <= neutral - expected for _, words in marked)
    return bool(strongest) and not stray and all(words & expected for _, words in strongest)


def main() -> None:
    parser = ArgumentParser("explanation")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("models/exported"))
    predictor = Predictor(parser.parse_args().folder)
    given = validate(Examples, read_yaml(EXAMPLES), EXAMPLES)
    results = {}
    for name, (draw, weigh) in WAYS.items():
        passed, right, runs = [], [], []
        for example in given.examples:
            pieces = [example.text[piece] for piece in segments(example.text)]
            kept = draw(len(pieces))
            variants = ["".join(compress(pieces, row)) for row in kept]
            texts = list(dict.fromkeys(variants))
            scores = dict(zip(texts, predictor.score_texts(texts).tolist(), strict=True))
            weights = weigh(pieces, kept, [scores[variant] for variant in variants])
            sign = 1 if scores[example.text] >= 0.5 else -1
            bare = [{word.strip(PUNCTUATION) for word in piece.lower().split()} for piece in pieces]
            passed.append(passes(example, bare, weights, sign, set(given.neutral.split())))
            right.append((sign > 0) == (example.verdict == "positive"))
            runs.append(len(texts))
        results[name] = {
            "passed": round(mean(passed), 3),
            "passed_of_right_verdicts": round(mean(compress(passed, right)), 3),
            "runs_per_text": round(mean(runs), 1),
            "most_runs": max(runs),
        }
        print(name, results[name])
    write_json(RESULTS, {"examples": len(given.examples), "right_verdicts": sum(right), "ways": results})


if __name__ == "__main__":
    run(main, "explanation")
