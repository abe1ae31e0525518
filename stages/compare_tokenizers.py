"""Compare tokenizers on the same reviews: how each cuts them, and what that does to the accuracy.

One of each algorithm is learnt from the training reviews; the model's own, and those that the parameters name, come as
they were pretrained. The same small classifier is trained from scratch on each one's ids. Last, the fine-tuned model
reads ids of its own tokenizer with the entries renumbered. All figures are of the validation reviews.

Reads   data/subsampled/{train,validation}.parquet, models/pretrained/, models/sentiment/, own/
Writes  metrics/tokenizers.json    tokens per word and per review, unknown tokens, how words are cut, accuracy with its
                                   interval; of the fine-tuned model with its own ids and with wrong ones
        plots/tokenizers.json      the accuracies
        models/tokenizers/         the tokenizers, each as one JSON file, for the web page

    python -m stages.compare_tokenizers
"""

import json
import time
from functools import partial
from pathlib import Path

import pandas as pd

from sentiment.core.command import run
from sentiment.core.files import replacing, write_json
from sentiment.core.params import load_params
from sentiment.core.parquet import read_parquet
from sentiment.model.reproducible import fix_bits
from sentiment.reviews.selection import draw

SUBSAMPLED = Path("data/subsampled")
PRETRAINED = Path("models/pretrained")
MODEL = Path("models/sentiment")
METRICS = Path("metrics/tokenizers.json")
PLOT = Path("plots/tokenizers.json")
TOKENIZERS = Path("models/tokenizers")
MOST = 2000
"""Reviews of a split to compare on, where it has more: the intervals are narrow enough then."""
TRAININGS = 3
"""How often the small classifier is trained on each tokenizer's ids, with seeds from `seed` on."""


def read(split: str) -> pd.DataFrame:
    """Return a split's reviews, or MOST of them where it has more."""
    reviews = read_parquet(SUBSAMPLED / f"{split}.parquet", ["id", "text", "label"]).to_pandas()
    reviews["id"] = reviews.id.map(partial(int, base=16))
    return draw(reviews, min(MOST, len(reviews)), "tokenizers")


def main() -> None:
    params = load_params()
    settings = params.compare_tokenizers
    train, validation = (read(split) for split in ("train", "validation"))
    texts, unseen = train.text.tolist(), validation.text.tolist()
    seeds = range(params.seed, params.seed + TRAININGS)

    import numpy as np
    import torch
    from tqdm import tqdm

    from sentiment.evaluation.scorer import Scorer
    from sentiment.metrics import points
    from sentiment.text.encoding import Encoder, load_tokenizer
    from sentiment.tokenizer_study.segmentation import figures, load_own_tokenizer, renumber
    from sentiment.tokenizer_study.token_bag import accuracy, difference, train_and_test
    from sentiment.tokenizer_study.trained_tokenizers import ALGORITHMS, learn

    fix_bits(params)
    # The steps of the small classifier are too short to share.
    torch.set_num_threads(1)
    scorer = Scorer(MODEL, params)
    models_own = json.loads((PRETRAINED / "origin.json").read_text(encoding="utf-8"))["model"]
    tokenizers = {
        models_own: partial(load_tokenizer, PRETRAINED),
        **{f"own/{name}": partial(load_own_tokenizer, name) for name in settings.pretrained},
        **{name: partial(learn, name, texts, settings.vocabulary) for name in ALGORITHMS},
    }
    compared, rights, backends = {}, {}, {}
    for name, load in tqdm(tokenizers.items(), unit="tokenizer"):
        tokenizer = load()
        encode = Encoder(tokenizer, params.tokenize)
        started = time.perf_counter()
        encoded = list(encode(texts))
        speed = len(texts) / (time.perf_counter() - started)
        encoded_unseen = list(encode(unseen))
        ids, unseen_ids = ([review.input_ids for review in part] for part in (encoded, encoded_unseen))
        rights[name] = train_and_test(ids, train.label, unseen_ids, validation.label, seeds)
        found = figures(tokenizer, unseen, encoded_unseen, params.tokenize.max_length)
        found |= accuracy(rights[name]) | difference(rights[name], rights[models_own])
        compared[name] = found
        if tokenizer.is_fast:
            backends[name] = encode.bare().tokenizer
        # The speed is printed but not written: with times in them, equal inputs would give other metrics.
        tqdm.write(
            f"{name}: {found['vocabulary']:,} entries, {found['fertility']:.2f} tokens per word, "
            f"accuracy {found['accuracy']:.3f}, {speed:,.0f} reviews/s"
        )

    torch.set_num_threads(params.threads)
    ids = [review.input_ids for review in scorer.encode(unseen)]
    numberings = [ids, *(renumber(ids, scorer.encode.tokenizer, seed) for seed in seeds)]
    verdicts = np.stack([scorer.decision.positive(scorer.score(numbers)) for numbers in numberings])
    right = verdicts == validation.label.to_numpy()
    fine_tuned = {"own": accuracy(right[:1]), "wrong": accuracy(right[1:])}
    print(f"fine-tuned model: accuracy {right[0].mean():.3f}, with wrong ids {right[1:].mean():.3f}")
    with replacing(TOKENIZERS) as folder:
        for name, backend in backends.items():
            path = folder / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            backend.save(str(path))
    write_json(PLOT, points("tokenizer", compared))
    write_json(METRICS, {"fine_tuned": fine_tuned, "tokenizers": compared})


if __name__ == "__main__":
    run(main, "compare_tokenizers")
