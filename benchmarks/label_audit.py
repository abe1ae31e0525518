"""Rank the reviews whose label may be wrong, by what models say of them that did not learn from them.

Confident learning (Northcutt et al. 2021, arXiv:1911.00068), as cleanlab does it: the scores of all reviews tell how
many labels of each kind must be wrong, and those are taken whose own label the models believe least.

Reads   data/folds/scores.parquet (make folds)
Writes  data/label_audit.csv           the suspects, the likeliest first: id, label, score (the probability of
                                       positive), beginning of the text
        benchmarks/label_audit.json    how many there are, by label

    python -m benchmarks.label_audit

With --unlabelled it ranks the reviews of a file that have no labels yet by how much their labels would teach.

Reads   models/exported/, a table with a column of texts, as own/README.md has them
Writes  data/to_label.csv, or another csv, tsv, jsonl or parquet file: the rows with all their columns, `sentiment` and
        `score`

    python -m benchmarks.label_audit --unlabelled reviews.csv -o to_label.csv
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from benchmarks.to_label import rank
from sentiment.core.command import run
from sentiment.core.errors import UserError
from sentiment.core.files import replacing, write_json
from sentiment.core.labels import LABELS
from sentiment.core.parquet import read_parquet
from sentiment.evaluation.quoting import quote
from sentiment.tables.writer import open_writer

SCORES = Path("data/folds/scores.parquet")
SUSPECTS = Path("data/label_audit.csv")
TO_LABEL = Path("data/to_label.csv")
RESULTS = Path("benchmarks/label_audit.json")


def suspects(labels: ArrayLike, scores: ArrayLike) -> NDArray[np.int64]:
    """Return the rows of which the label may be wrong, the likeliest first, int64 [suspects].

    They are ranked by self-confidence, the probability that the scores give to the label. With two labels the
    normalized margin gives the same order.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ModuleNotFoundError:
        raise UserError("cleanlab is missing: pip install -r requirements-dev.txt, or make test, installs it") from None
    scores = np.asarray(scores, np.float64)
    probabilities = np.column_stack([1 - scores, scores])
    found = find_label_issues(
        np.asarray(labels, np.int64), probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return np.asarray(found, np.int64)


def audit() -> None:
    """Write the table of suspects, and count them."""
    if not SCORES.exists():
        raise UserError(f"{SCORES} is missing: make folds makes it, by a training for each fold")
    reviews = read_parquet(SCORES, ["id", "text", "label", "score"]).to_pandas()
    ranked = reviews.iloc[suspects(reviews.label, reviews.score)]
    table = pa.table(
        {
            "id": pa.array(ranked.id, pa.string()),
            "label": pa.array(ranked.label.map(LABELS), pa.string()),
            "score": pa.array(ranked.score, pa.float64()),
            "text": pa.array(ranked.text.map(quote), pa.string()),
        }
    )
    with replacing(SUSPECTS) as path, path.open("wb") as file, open_writer(file, "csv", table.schema) as write:
        write(table)
    by_label = {name: int((ranked.label == label).sum()) for label, name in LABELS.items()}
    write_json(RESULTS, {"reviews": len(reviews), "suspects": by_label | {"all": len(ranked)}})
    print(f"{len(ranked):,} of {len(reviews):,} labels may be wrong: {SUSPECTS} has them, the likeliest first")


def main() -> None:
    parser = ArgumentParser("label_audit", description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--unlabelled", type=Path, metavar="FILE", help="rank its reviews by what labels would teach")
    parser.add_argument("-o", "--output", type=Path, default=TO_LABEL, help=f"the ranked reviews ({TO_LABEL})")
    parser.add_argument("--text", default="text", help="FILE's column of the reviews (text)")
    parser.add_argument("--encoding", help="of FILE where it is not UTF-8, such as cp1252")
    parser.add_argument("--delimiter", help="of FILE where its header does not tell: comma, semicolon, tab, pipe")
    parser.add_argument("--columns", help="names of FILE's columns where it has no header, with commas between them")
    arguments = parser.parse_args()
    if arguments.unlabelled:
        rank(arguments)
    else:
        audit()


if __name__ == "__main__":
    run(main, "label_audit")
