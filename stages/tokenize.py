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

from pathlib import Path

import numpy as np

from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.params import PREPROCESSING, Preprocessing, load_params
from sentiment.core.parquet import count_rows
from sentiment.text.emoji import unknown_emoji
from sentiment.text.encoded_rows import COLUMNS, rows_in_parts, rows_in_sentences, write_encoded
from sentiment.text.encoding import Encoder, load_tokenizer
from sentiment.text.spelling import OWN_LANGUAGE, warning
from sentiment.text.statistics import statistics

SUBSAMPLED = Path("data/subsampled")
PRETRAINED = Path("models/pretrained")
TOKENIZED = Path("data/tokenized")
METRICS = Path("metrics/tokenize.json")
SPLITS = ("train", "validation", "test")
REVIEWS_IN_SENTENCES = 400
"""So many long reviews have some five thousand sentences. What is fitted to them would hardly change with more."""


def main() -> None:
    all_params = load_params()
    params = all_params.tokenize
    tokenizer = load_tokenizer(PRETRAINED)
    emoji = unknown_emoji(tokenizer)
    metrics = {}
    spelled = {}
    with replacing(TOKENIZED) as folder:
        for split in SPLITS:
            source = SUBSAMPLED / f"{split}.parquet"
            cut = params.of_training if split == "train" else params
            counts = params.parts if split == "train" else [1]
            encode = Encoder(tokenizer, cut, emoji)
            total = count_rows(source, COLUMNS)
            found = write_encoded(
                folder / f"{split}.parquet", rows_in_parts(source, counts), total * len(counts), encode, split
            )
            spelled[split] = found.spelled
            metrics[split] = statistics(found.tokens, found.spelled.unknown, cut.max_length)
            if split == "validation":
                few = min(total, REVIEWS_IN_SENTENCES)
                # From among all of them.
                rows = np.linspace(0, total - 1, few).astype(int)
                path = folder / "validation_sentences.parquet"
                write_encoded(path, rows_in_sentences(source, rows), few, encode, "sentences")
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
