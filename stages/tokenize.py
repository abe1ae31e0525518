"""Turn every review into the model's token ids, cut to tokenize.max_length.

Reads   data/subsampled/{train,validation,test}.parquet, the tokenizer in models/pretrained/
Writes  data/tokenized/{train,validation,test}.parquet    id, label, input_ids (no padding), tokens (their
                                                          number before truncation)
        metrics/tokenize.json                             tokens per review, share truncated, share of unknown tokens

    python -m stages.tokenize
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from sentiment.command import run
from sentiment.encoding import Encoded, Encoder, load_tokenizer
from sentiment.files import replacing, write_json
from sentiment.params import load_params
from sentiment.reviews import read_parquet, write_parquet

SUBSAMPLED = Path("data/subsampled")
PRETRAINED = Path("models/pretrained")
TOKENIZED = Path("data/tokenized")
METRICS = Path("metrics/tokenize.json")
SPLITS = ("train", "validation", "test")


def statistics(encoded: list[Encoded], max_length: int) -> dict[str, Any]:
    """Summarize a split: tokens per review before truncation, special tokens included."""
    tokens = np.array([review.tokens for review in encoded])
    return {
        "tokens": int(tokens.sum()),
        "tokens_p50": float(np.percentile(tokens, 50)),
        "tokens_p95": float(np.percentile(tokens, 95)),
        "tokens_max": int(tokens.max()),
        "truncated_share": float((tokens > max_length).mean()),
        "unknown_share": sum(review.unknown for review in encoded) / int(tokens.sum()),
    }


def main() -> None:
    params = load_params().tokenize
    encode = Encoder(load_tokenizer(PRETRAINED), params)
    metrics = {}
    with replacing(TOKENIZED) as folder:
        for split in SPLITS:
            reviews = read_parquet(SUBSAMPLED / f"{split}.parquet", ["id", "text", "label"])
            texts = reviews["text"].to_pylist()
            encoded = list(tqdm(encode(texts), total=len(texts), desc=split, unit="review"))
            input_ids = pa.array([review.input_ids for review in encoded], pa.list_(pa.int32()))
            tokens = pa.array([review.tokens for review in encoded], pa.int32())
            table = reviews.select(["id", "label"]).append_column("input_ids", input_ids)
            write_parquet(folder / f"{split}.parquet", table.append_column("tokens", tokens))
            metrics[split] = statistics(encoded, params.max_length)
    write_json(METRICS, metrics)


if __name__ == "__main__":
    run(main, "tokenize")
