"""Survey datasets: balance, lengths, duplicates, contradictions, and what they share with each other.

Reads   data/real/reviews/*.parquet (text, label), params.yaml, models/pretrained/, and what `make run` downloaded:
        data/raw/train.parquet, data/cross/*.parquet
Writes  benchmarks/dataset_survey.json    per dataset its figures; how many rows of one are in another

    python -m benchmarks.dataset_survey    (five minutes on one core where all files are there)

Everything is measured after the pipeline's cleaning and by its own
code: duplicates as `subsample` counts them, tokens as `tokenize` does, leaks as both evaluations look for them.
"""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from benchmarks.real_data import REVIEWS, present
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params, load_params
from sentiment.reviews.leaks import Leaks, count_leaks
from sentiment.reviews.selection import survey
from sentiment.reviews.table import read_reviews
from sentiment.text.cleaning import clean
from sentiment.text.encoding import Encoder, load_tokenizer

RESULTS = Path("benchmarks/dataset_survey.json")
PRETRAINED = Path("models/pretrained")
HTML = r"(?i)<br\s*/?>"
RATING = r"(?i)\b\d+(\.\d+)?\s*(/|out of)\s*(5|10|five|ten)\b"
"""A verdict in figures: 8/10, 3 out of 5."""
SOUGHT = {
    "imdb-train": ["imdb-test", "uci-imdb", "imdb-cad-original-test", "imdb-cad-revised-test", "reviews"],
    "imdb-test": ["uci-imdb", "reviews"],
    "sst2-train": ["sst2-dev", "reviews"],
    "rotten-tomatoes-mr": ["sst2-dev", "reviews"],
    "yelp-augpe-dev": ["uci-yelp"],
    "amazon-multi-en-validation": ["uci-amazon"],
    "reviews": ["films_mixed", "tricky", "everyday"],
}
"""In which dataset the reviews of which others are looked for."""


def lengths(values: np.ndarray, name: str) -> dict[str, float]:
    return {f"{name}_p50": float(np.median(values)), f"{name}_p95": float(np.percentile(values, 95))}


def describe(path: Path, params: Params, encode: Encoder) -> dict[str, Any]:
    """Return one dataset's figures; lengths are those of its rows after cleaning, in words and in tokens."""
    counts = survey(read_reviews(path), params.subsample.cleaning).counts
    table = pa.concat_tables(read_reviews(path)).combine_chunks()
    raw, label = table["text"].combine_chunks(), table["label"].to_numpy()
    text = clean(raw, params.subsample.cleaning)
    words = pc.list_value_length(pc.utf8_split_whitespace(text)).to_numpy()
    tokens = np.array([review.tokens for review in encode(tqdm(text.to_pylist(), desc=path.stem, unit="review"))])
    return {
        **counts,
        "positives": int(label.sum()),
        **lengths(words, "words"),
        "words_max": int(words.max()),
        "words_p50_by_label": [float(np.median(words[label == value])) for value in (0, 1)],
        **lengths(tokens, "tokens"),
        "truncated_share": float((tokens > params.tokenize.max_length).mean()),
        "over_512_share": float((tokens > 512).mean()),
        "html_share": float(pc.mean(pc.match_substring_regex(raw, HTML)).as_py()),
        "rating_share": float(pc.mean(pc.match_substring_regex(text, RATING)).as_py()),
    }


def texts(path: Path, params: Params) -> list[str]:
    batches = (clean(table["text"].combine_chunks(), params.subsample.cleaning) for table in read_reviews(path))
    return list(chain.from_iterable(batch.to_pylist() for batch in batches))


def find_leaks(names: list[str], place: str, files: dict[str, Path], params: Params) -> list[dict[str, Any]]:
    """Return how many rows of each of the named datasets are in another: exact, contained or near."""
    sought = {name: texts(files[name], params) for name in names}
    leaks = Leaks(chain.from_iterable(sought.values()), params.subsample.near_duplicate)
    leaks.find(texts(files[place], params))
    kinds = np.split(leaks.kinds, np.cumsum([len(rows) for rows in sought.values()])[:-1])
    return [{"of": name, "in": place, **count_leaks(found)} for name, found in zip(names, kinds, strict=True)]


def main() -> None:
    params = load_params()
    own = {params.dataset: Path("data/raw/train.parquet")}
    own |= {path.stem: path for path in (Path(f"data/cross/{name}.parquet") for name in params.cross_datasets)}
    files = own | {path.stem: path for path in sorted(present(REVIEWS).glob("*.parquet"))}
    if files.keys() == own.keys():
        raise UserError(f"{REVIEWS} holds no parquet file: put some there, with the columns text and label")
    encode = Encoder(load_tokenizer(PRETRAINED), params.tokenize)
    datasets = {name: describe(path, params, encode) for name, path in files.items()}
    places = {place: [name for name in names if name in files] for place, names in SOUGHT.items() if place in files}
    overlaps = [
        found
        for place, names in tqdm(places.items(), desc="leaks", unit="dataset")
        if names
        for found in find_leaks(names, place, files, params)
    ]
    write_json(RESULTS, {"datasets": datasets, "max_length": params.tokenize.max_length, "overlaps": overlaps})


if __name__ == "__main__":
    run(main, "dataset_survey")
