"""The runs of the pipeline that git and DVC's cache keep, and their files."""

import io
import json
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from sentiment.comparison.freshness import what_changed
from sentiment.core.errors import UserError, reason
from sentiment.core.params import Cleaning
from sentiment.core.schemas import validate
from sentiment.metrics import HALF

if TYPE_CHECKING:
    import pandas as pd

WORKSPACE = "workspace"
TRAINING = "metrics/train.json"


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
                f"`git branch --all` list those there are, and {WORKSPACE} is the files as they are now"
            ) from None
        except DvcException as error:
            raise UserError(f"{name} can't be read: {reason(error)}; run from the project's folder") from None
        yaml = YAML(typ="safe", pure=True)
        self.params: dict[str, Any] = yaml.load(self.read("params.yaml"))
        lock = yaml.load(self.read("dvc.lock")) if self.files.exists("dvc.lock") else {}
        self.stages: dict[str, Any] = lock.get("stages", {})
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

    def require_fresh(self, dataset: str) -> None:
        """Raise UserError where the predictions were made with other data or parameters than the run has."""
        path = predictions_of(dataset)
        if changed := what_changed(path, self.stages, self.params):
            get = "" if self.name == WORKSPACE else "`dvc exp apply` or `git checkout` that run, then "
            raise UserError(
                f"{path} of {self.name} was made with other data or parameters than it has now, as {changed}: "
                f"{get}`dvc exp run` brings it up to date"
            )

    def predictions(self, dataset: str) -> "pd.DataFrame":
        """Return id, label and score of each review of the test split, or of a cross dataset."""
        return self.table(predictions_of(dataset), ["id", "label", "score"])

    @property
    def threshold(self) -> float:
        """Return the score from which on the run's model says positive, which older runs do not tell: 0.5."""
        training = json.loads(self.read(TRAINING)) if self.files.exists(TRAINING) else {}
        return float(training.get("decision", {}).get("threshold", HALF))

    def texts(self, dataset: str) -> dict[str, str]:
        """Return the texts of a dataset by id, cleaned as the model read them."""
        if dataset == "test":
            reviews = self.table("data/subsampled/test.parquet", ["id", "text"])
            return dict(zip(reviews.id, reviews.text, strict=True))

        import pyarrow as pa

        from sentiment.reviews.selection import content_id
        from sentiment.text.cleaning import clean

        path = "models/sentiment/preprocessing.json"
        cleaning = validate(Cleaning, json.loads(self.read(path))["cleaning"], f"{path} of {self.name}")
        text = self.table(f"data/cross/{dataset}.parquet", ["text"]).text
        return {content_id(review): review for review in clean(pa.array(text, pa.string()), cleaning).to_pylist()}


def predictions_of(dataset: str) -> str:
    """Return the path of a dataset's predictions."""
    folder = "data/predictions" if dataset == "test" else "data/predictions/cross"
    return f"{folder}/{dataset}.parquet"
