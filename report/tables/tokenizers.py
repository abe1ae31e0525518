"""Tables of docs/tokenizers.md."""

from collections.abc import Sequence
from typing import Any

from report.results import read
from report.tables.markdown import table
from sentiment.tokenizer_study.segmentation import TELLING

PRETRAINED = "benchmarks/pretrained_tokenizers.json"


def learnt() -> dict[str, Any]:
    """Return what `compare_tokenizers` found, in the order of its plot: the model's own tokenizer first."""
    found = read("metrics/tokenizers.json")["tokenizers"]
    return {point["tokenizer"]: found[point["tokenizer"]] for point in read("plots/tokenizers.json")}


def cutting(tokenizers: dict[str, Any]) -> str:
    """Return how many tokens each tokenizer makes of the validation reviews."""
    rows = [
        [name, f"{found['vocabulary']:,}", f"{found['fertility']:.2f}", f"{found['whole_words']:.0%}"]
        + [f"{found[key]:.0f}" for key in ("tokens_p50", "tokens_p95")]
        + [f"{found[key]:.1%}" for key in ("truncated_share", "unknown_share")]
        for name, found in tokenizers.items()
    ]
    header = [
        "tokenizer",
        "entries",
        "tokens per word",
        "words kept whole",
        "tokens per review, median",
        "95th percentile",
    ]
    return table([*header, "reviews truncated", "tokens unknown"], *rows)


def learnt_tokenizers() -> str:
    return cutting(learnt())


def pretrained_tokenizers() -> str:
    return cutting(read(PRETRAINED))


def tokenizer_accuracy() -> str:
    """Return the accuracy of the small classifier on each tokenizer's ids."""
    rows = [
        [
            name,
            f"{found['accuracy']:.3f}",
            f"{found['accuracy_sd']:.3f}",
            f"{found['accuracy_low']:.3f} to {found['accuracy_high']:.3f}",
            f"{found['difference']:+.3f}",
            f"{found['difference_low']:+.3f} to {found['difference_high']:+.3f}",
        ]
        for name, found in learnt().items()
    ]
    header = ["tokenizer", "accuracy", "sd over seeds", "95 % interval", "less the first's", "95 % interval, paired"]
    return table(header, *rows)


def cuts(tokenizers: dict[str, Any], names: Sequence[str]) -> str:
    """Return the pieces of every telling word, a column for each of the named tokenizers."""
    columns = [tokenizers[name]["cuts"] for name in names]
    rows = [
        [kind, word, *(f"`{' '.join(column[word])}`" for column in columns)]
        for kind, words in TELLING.items()
        for word in words
    ]
    return table(["", "word", *names], *rows)


def learnt_cuts() -> str:
    return cuts(learnt(), ["WordPiece", "BPE", "byte-level BPE", "Unigram", "words"])


def pretrained_cuts() -> str:
    families = ["google-bert/bert-base-uncased", "FacebookAI/roberta-base", "xlnet/xlnet-base-cased"]
    return cuts(read(PRETRAINED), [*families, "albert/albert-base-v2", "microsoft/deberta-v3-small"])


FIGURES = {
    "learnt-tokenizers": learnt_tokenizers,
    "tokenizer-accuracy": tokenizer_accuracy,
    "learnt-cuts": learnt_cuts,
    "pretrained-tokenizers": pretrained_tokenizers,
    "pretrained-cuts": pretrained_cuts,
}
