"""Turn every review into the model's token ids, cut to tokenize.max_length (training reviews to train_max_length).

The training reviews are taken once for each of tokenize.parts, cut into as many parts, each a row with the review's
label.

Reads   data/subsampled/{train,validation,test}.parquet, the tokenizer in models/pretrained/
Writes  data/tokenized/{train,validation,test}.parquet    id, label, input_ids (no padding), tokens (their
                                                          number before truncation)
        data/tokenized/validation_sentences.parquet       the same of the sentences of at most 400 validation reviews,
                                                          each with its review's label
        data/tokenized/preprocessing.json               what the texts went through, emoji among it, for the model
        metrics/tokenize.json                             tokens per row, share truncated, share of unknown tokens

    python -m stages.tokenize
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.params import PREPROCESSING, Preprocessing, load_params
from sentiment.core.parquet import read_parquet, write_parquet
from sentiment.text.emoji import unknown_emoji
from sentiment.text.encoding import CHUNK, Encoded, Encoder, load_tokenizer, statistics
from sentiment.text.sentences import parts, sentences
from sentiment.text.spelling import OWN_LANGUAGE, Spelled, warning

SUBSAMPLED = Path("data/subsampled")
PRETRAINED = Path("models/pretrained")
TOKENIZED = Path("data/tokenized")
METRICS = Path("metrics/tokenize.json")
SPLITS = ("train", "validation", "test")
REVIEWS_IN_SENTENCES = 400
"""So many long reviews have some five thousand sentences. What is fitted to them would hardly change with more."""
ENCODED = pa.struct([("input_ids", pa.list_(pa.int32())), ("tokens", pa.int32())])


def to_columns(encoded: Iterator[Encoded]) -> pa.Table:
    """Return the encodings' input_ids and tokens as columns, a chunk at a time: Python's lists are large."""
    chunks = iter(lambda: [vars(review) for review in islice(encoded, CHUNK)], [])
    batches = [pa.RecordBatch.from_struct_array(pa.array(chunk, ENCODED)) for chunk in chunks]
    return pa.Table.from_batches(batches, pa.schema(ENCODED)).combine_chunks()


def cut_up(reviews: pa.Table, cut: Callable[[str], list[str]]) -> pa.Table:
    """Return the reviews (id, text, label) with a row for each piece that `cut` makes of their texts."""
    batches = []
    for batch in reviews.to_batches(CHUNK):
        texts = [cut(text) for text in batch["text"].to_pylist()]
        rows = np.repeat(np.arange(len(texts)), [len(pieces) for pieces in texts])
        pieces = pa.array(chain.from_iterable(texts), pa.string())
        batches.append(batch.take(pa.array(rows)).set_column(1, reviews.schema.field("text"), pieces))
    return pa.Table.from_batches(batches, reviews.schema)


def cut_into_parts(reviews: pa.Table, counts: Sequence[int]) -> pa.Table:
    """Return the reviews once for each count, their texts cut into as many parts, a row for each."""
    return pa.concat_tables(cut_up(reviews, partial(parts, count=count)) for count in counts)


def cut_into_sentences(reviews: pa.Table) -> pa.Table:
    """Return the sentences of the reviews, a row for each, or of REVIEWS_IN_SENTENCES from among all of them."""
    rows = np.linspace(0, len(reviews) - 1, min(len(reviews), REVIEWS_IN_SENTENCES)).astype(int)
    return cut_up(reviews.take(pa.array(rows)), sentences)


def encode_rows(reviews: pa.Table, encode: Encoder, title: str) -> tuple[pa.Table, Spelled]:
    """Return the rows' id, label, input_ids and tokens, and how all of them are spelled; show the progress."""
    texts = chain.from_iterable(batch["text"].to_pylist() for batch in reviews.to_batches(CHUNK))
    spelled = Spelled()

    def watched() -> Iterator[Encoded]:
        nonlocal spelled
        for review in tqdm(encode(texts), total=len(reviews), desc=title, unit="review"):
            spelled += review.spelled
            yield review

    encoded = to_columns(watched())
    table = reviews.select(["id", "label"])
    for name in ("input_ids", "tokens"):
        table = table.append_column(name, encoded[name])
    return table, spelled


def main() -> None:
    all_params = load_params()
    params = all_params.tokenize
    tokenizer = load_tokenizer(PRETRAINED)
    emoji = unknown_emoji(tokenizer)
    metrics = {}
    spelled = {}
    with replacing(TOKENIZED) as folder:
        for split in SPLITS:
            cut = params.of_training if split == "train" else params
            encode = Encoder(tokenizer, cut, emoji)
            reviews = read_parquet(SUBSAMPLED / f"{split}.parquet", ["id", "text", "label"])
            if split == "train":
                reviews = cut_into_parts(reviews, params.parts)
            table, spelled[split] = encode_rows(reviews, encode, split)
            write_parquet(folder / f"{split}.parquet", table)
            metrics[split] = statistics(table["tokens"].to_numpy(), spelled[split].unknown, cut.max_length)
            if split == "validation":
                table, _ = encode_rows(cut_into_sentences(reviews), encode, "sentences")
                write_parquet(folder / "validation_sentences.parquet", table)
        usual = spelled["train"].spelling
        preprocessing = Preprocessing(
            cleaning=all_params.subsample.cleaning, emoji=emoji, tokenize=params, spelling=usual
        )
        write_json(folder / PREPROCESSING, preprocessing.model_dump())
    write_json(METRICS, metrics)
    if strange := spelled["train"].strange(OWN_LANGUAGE):
        print(
            f"warning: the tokenizer was not made for the training reviews: {strange}; a model of their language may "
            "learn much more from them"
        )
    for split in ("validation", "test"):
        if strange := spelled[split].strange(usual):
            print(warning(f"warning: the {split} reviews", strange))


if __name__ == "__main__":
    run(main, "tokenize")
