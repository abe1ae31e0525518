"""Measure how the tokenizers of pretrained models cut the telling words and the sample reviews.

Reads   a folder of data/real/tokenizers/ for each tokenizer (its files as on the hub; weights are not needed),
        data/subsampled/validation.parquet
Writes  benchmarks/pretrained_tokenizers.json    per tokenizer: tokens per word and per review, unknown tokens, words
                                                 kept whole, the telling words' pieces, reviews per second

    python -m benchmarks.pretrained_tokenizers
"""

import time
from pathlib import Path

from benchmarks.real_data import TOKENIZERS, present
from sentiment.core.command import run
from sentiment.core.files import write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.text.encoding import Encoder, load_tokenizer
from sentiment.tokenizer_study.segmentation import figures

NAMES = (
    "google-bert/bert-base-uncased",
    "FacebookAI/roberta-base",
    "openai-community/gpt2",
    "xlnet/xlnet-base-cased",
    "albert/albert-base-v2",
    "microsoft/deberta-v3-small",
    "answerdotai/ModernBERT-base",
)
REVIEWS = Path("data/subsampled/validation.parquet")
RESULTS = Path("benchmarks/pretrained_tokenizers.json")


def main() -> None:
    folders = {name: present(TOKENIZERS / name.replace("/", "__")) for name in NAMES}
    params = load_params().tokenize
    texts = read_parquet(REVIEWS, ["text"])["text"].to_pylist()
    results = {}
    for name, folder in folders.items():
        tokenizer = load_tokenizer(folder)
        encode = Encoder(tokenizer, params)
        started = time.perf_counter()
        encoded = list(encode(texts))
        speed = len(texts) / (time.perf_counter() - started)
        found = figures(tokenizer, texts, encoded, params.max_length)
        results[name] = found | {"reviews_per_second": round(speed)}
        print(f"{name}: {found['fertility']:.2f} tokens per word")
    write_json(RESULTS, results)


if __name__ == "__main__":
    run(main, "pretrained_tokenizers")
