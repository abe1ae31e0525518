"""Turn every review into the model's token ids, cut to tokenize.max_length, or of training reviews to train_max_length.

The training reviews are taken once for each of tokenize.parts, cut into as many parts, each a row with the review's
label.

Reads   data/subsampled/{train,validation,test}.parquet, the tokenizer in models/pretrained/
Writes  data/tokenized/{train,validation,test}.parquet    id, label, input_ids (no padding), tokens (their
                                                          number before truncation)
        metrics/tokenize.json                             tokens per row, share truncated, share of unknown tokens

    python -m stages.tokenize
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, product
from pathlib import Path

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from sentiment.command import run
from sentiment.encoding import CHUNK, Encoded, Encoder, load_tokenizer, statistics
from sentiment.files import replacing, write_json
from sentiment.params import load_params
from sentiment.parquet import read_parquet, write_parquet
from sentiment.sentences import parts

SUBSAMPLED = Path("data/subsampled")
PRETRAINED = Path("models/pretrained")
TOKENIZED = Path("data/tokenized")
METRICS = Path("metrics/tokenize.json")
SPLITS = ("train", "validation", "test")
ENCODED = pa.struct([("input_ids", pa.list_(pa.int32())), ("tokens", pa.int32()), ("unknown", pa.int32())])


def encoded_columns(encoded: Iterator[Encoded]) -> pa.Table:
    """Return the encodings' input_ids, tokens and unknown as columns, a chunk at a time: Python's lists are large."""
    chunks = iter(lambda: [vars(review) for review in islice(encoded, CHUNK)], [])
    batches = [pa.RecordBatch.from_struct_array(pa.array(chunk, ENCODED)) for chunk in chunks]
    return pa.Table.from_batches(batches, pa.schema(ENCODED)).combine_chunks()


def in_parts(reviews: pa.Table, counts: Sequence[int]) -> pa.Table:
    """Return the reviews (id, text, label) once for each count, their texts cut into as many parts, a row for each."""
    batches = []
    for count, batch in product(counts, reviews.to_batches(CHUNK)):
        texts = [parts(text, count) for text in batch["text"].to_pylist()]
        rows = np.repeat(np.arange(len(texts)), [len(cut) for cut in texts])
        cut = pa.array(chain.from_iterable(texts), pa.string())
        batches.append(batch.take(pa.array(rows)).set_column(1, reviews.schema.field("text"), cut))
    return pa.Table.from_batches(batches, reviews.schema)


def main() -> None:
    params = load_params().tokenize
    tokenizer = load_tokenizer(PRETRAINED)
    metrics = {}
    with replacing(TOKENIZED) as folder:
        for split in SPLITS:
            cut = params.of_training if split == "train" else params
            encode = Encoder(tokenizer, cut)
            reviews = read_parquet(SUBSAMPLED / f"{split}.parquet", ["id", "text", "label"])
            if split == "train":
                reviews = in_parts(reviews, params.parts)
            texts = chain.from_iterable(batch["text"].to_pylist() for batch in reviews.to_batches(CHUNK))
            progress = tqdm(encode(texts), total=len(reviews), desc=split, unit="review")
            encoded = encoded_columns(iter(progress))
            table = reviews.select(["id", "label"])
            for name in ("input_ids", "tokens"):
                table = table.append_column(name, encoded[name])
            write_parquet(folder / f"{split}.parquet", table)
            unknown = int(encoded["unknown"].to_numpy().sum())
            metrics[split] = statistics(encoded["tokens"].to_numpy(), unknown, cut.max_length)
    write_json(METRICS, metrics)


if __name__ == "__main__":
    run(main, "tokenize")
