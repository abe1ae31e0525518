"""Compare the predictions of two runs of the pipeline, review by review.

A run is an experiment, a branch, a tag, a commit, or `workspace` (the files as they are now). All is read from git and
from the DVC cache; nothing is checked out, run or written.

Reads   data/predictions/, data/subsampled/test.parquet, data/cross/, models/sentiment/preprocessing.json, params.yaml
Prints  per dataset: both accuracies, their difference with its interval, McNemar's exact p, the reviews whose verdict
        flipped; and the parameters that differ. Datasets without the same reviews in both runs are refused.

    python -m stages.compare main my-experiment            (make compare A=main B=my-experiment)
    python -m stages.compare main workspace --md           for a pull request; --json for a program
"""

import io
import json
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from sentiment.command import run
from sentiment.errors import UserError, reason
from sentiment.files import rounded
from sentiment.params import Cleaning

if TYPE_CHECKING:
    import pandas as pd

WORKSPACE = "workspace"
FLIPS = 5


class Run:
    """The files of a run, each read when asked for. Raises UserError where the run or a file can't be found."""

    def __init__(self, name: str) -> None:
        from dvc.api import DVCFileSystem
        from dvc.exceptions import DvcException
        from dvc.scm import RevError

        self.name = name
        try:
            self.files = DVCFileSystem(".", rev=None if name == WORKSPACE else name)
            self.revision = None if name == WORKSPACE else self.files.repo.get_rev()
        except RevError:
            raise UserError(
                f"{name} is no experiment, branch, tag or commit: `dvc exp list --all-commits` and "
                f"`git branch --all` name those there are, and {WORKSPACE} is what you see"
            ) from None
        except DvcException as error:
            raise UserError(f"{name} can't be read: {reason(error)}; run from the project's folder") from None
        self.params: dict[str, Any] = YAML(typ="safe", pure=True).load(self.read("params.yaml"))
        self.datasets = ["test", *self.params.get("cross_datasets", [])]

    def read(self, path: str) -> bytes:
        from dvc.exceptions import DvcException

        try:
            with self.files.open(path, "rb") as file:
                content: bytes = file.read()
        except (OSError, DvcException):
            raise UserError(
                f"{path} of {self.name} is neither in git nor in the cache: `dvc fetch` gets it if you have a remote, "
                "else `dvc exp apply` or `git checkout` that run and `dvc repro`"
            ) from None
        return content

    def table(self, path: str, columns: list[str]) -> "pd.DataFrame":
        import pyarrow.parquet as pq

        return pq.read_table(io.BytesIO(self.read(path)), columns=columns).to_pandas()

    def predictions(self, dataset: str) -> "pd.DataFrame":
        """Return id, label and score of each review of the test split, or of a cross dataset."""
        folder = "data/predictions" if dataset == "test" else "data/predictions/cross"
        return self.table(f"{folder}/{dataset}.parquet", ["id", "label", "score"])

    def texts(self, dataset: str) -> dict[str, str]:
        """Return the texts of a dataset by id, cleaned as the model read them."""
        if dataset == "test":
            reviews = self.table("data/subsampled/test.parquet", ["id", "text"])
            return dict(zip(reviews.id, reviews.text, strict=True))

        import pyarrow as pa

        from sentiment.reviews import clean, content_id

        cleaning = Cleaning(**json.loads(self.read("models/sentiment/preprocessing.json"))["cleaning"])
        text = self.table(f"data/cross/{dataset}.parquet", ["text"]).text
        return {content_id(review): review for review in clean(pa.array(text, pa.string()), cleaning).to_pylist()}


def main() -> None:
    parser = ArgumentParser("compare", description="Compare the predictions of two runs, review by review.")
    parser.add_argument("a", metavar="A", help=f"an experiment, branch, tag, commit, or {WORKSPACE}")
    parser.add_argument("b", metavar="B", help="another one")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--md", action="store_true", help="print Markdown")
    arguments = parser.parse_args()
    a, b = Run(arguments.a), Run(arguments.b)

    from tqdm import tqdm

    from sentiment.comparison import changed, compare, flips, paired
    from sentiment.comparison_report import text_of

    results, refused = {}, []
    common = [dataset for dataset in a.datasets if dataset in b.datasets]
    for dataset in tqdm(common, desc="compare", unit="dataset", delay=1):
        predictions = a.predictions(dataset), b.predictions(dataset)
        try:
            pairs = paired(*predictions, dataset)
        except UserError as error:
            refused.append(str(error))
            continue
        results[dataset] = compare(pairs) | {"flips": flips(pairs, a.texts(dataset), FLIPS)}

    report = {
        "a": {"name": a.name, "revision": a.revision},
        "b": {"name": b.name, "revision": b.revision},
        "datasets": results,
        "not_in_both": sorted(set(a.datasets) ^ set(b.datasets)),
        "parameters": changed(a.params, b.params),
    }
    if arguments.json:
        print(json.dumps(rounded(report), indent=2, ensure_ascii=False))
    else:
        print(text_of(report, markdown=arguments.md))
    if refused:
        raise UserError("; ".join(refused))


if __name__ == "__main__":
    run(main, "compare")
