"""Rank reviews without labels by how much a label of theirs would teach: first those of which the model knows least.

That is uncertainty sampling by the margin (Lewis and Gale 1994): with two labels, the nearer a score is to 0.5, the
less the model knows. Of near-duplicates only the first is kept, as the others' labels would teach the same again.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from benchmarks.grouping import near_duplicate_groups
from sentiment.core.errors import UserError
from sentiment.core.files import replacing
from sentiment.core.params import load_params
from sentiment.core.reading import Reading
from sentiment.core.schemas import validate
from sentiment.core.workers import cores
from sentiment.reviews.selection import content_ids
from sentiment.scoring.added_columns import name_added
from sentiment.scoring.rows import check, extend, score_rows
from sentiment.scoring.table import mapping_of
from sentiment.serving.predictor import Predictor
from sentiment.tables.asking import as_flag
from sentiment.tables.formats import format_of
from sentiment.tables.reader import Reader
from sentiment.tables.writer import open_writer

MODEL = Path("models/exported")


def to_label(texts: Sequence[str], scores: ArrayLike, near_duplicate: float) -> NDArray[np.int64]:
    """Return the rows to label, the most uncertain first, int64 [rows]; of near-duplicates the first alone.

    Of equally uncertain ones, a hash of the text decides, so that the order of the rows does not matter.
    """
    margins = np.abs(2 * np.asarray(scores, np.float64) - 1)
    order = np.lexsort([content_ids(texts), margins])
    _, firsts = np.unique(near_duplicate_groups(texts, near_duplicate)[order], return_index=True)
    return order[np.sort(firsts)].astype(np.int64)


def rank(arguments: Namespace) -> None:
    """Score the reviews of a file with the exported model, and write those to label, ranked, with all their columns.

    `arguments` are those of `label_audit`. Raises UserError for a file that can't be read or lacks a column of texts,
    and where the model is missing.
    """
    source, target = arguments.unlabelled, arguments.output
    form = format_of(str(target))
    if not source.exists():
        raise UserError(f"{source} is missing: give the path of a file that exists")
    if target.exists() and target.samefile(source):
        raise UserError(f"{target} is the input itself, which would be lost: name another file with -o")
    columns = arguments.columns and [name.strip() for name in arguments.columns.split(",")]
    said = {"encoding": arguments.encoding, "delimiter": arguments.delimiter, "columns": columns}
    reading = validate(Reading, said, "the options")
    predictor = Predictor(MODEL)
    reader = Reader(source, bad_rows="set aside", text=arguments.text, reading=reading, ask=as_flag)
    check(reader, str(source), arguments.text)
    contents = reader.contents
    added = name_added(contents.schema.names, str(source))
    with mapping_of(cores()) as mapping:
        scored = list(score_rows(reader, lambda texts: predictor.read(texts)[0], arguments.text, added, mapping))
    reviews = pa.concat_tables([extend(contents.schema, added).empty_table(), *(table for table, _ in scored)])
    texts = predictor.clean(reviews[arguments.text].to_pylist())
    rows = to_label(texts, reviews[added.score].to_numpy(), load_params().subsample.near_duplicate)
    with (
        replacing(target) as path,
        path.open("wb") as file,
        open_writer(file, form, reviews.schema, contents.json) as write,
    ):
        write(reviews.take(pa.array(rows)))
    for note in reader.notes:
        print(note)
    print(f"{len(rows):,} of {contents.rows:,} rows are in {target}, those first whose labels would teach most")
    if left := len(reviews) - len(rows):
        print(f"{left:,} are left out as near-duplicates of others")
    if bad := sum(len(rejected) for _, rejected in scored):
        print(f"{bad:,} are left out as they hold no text")
