"""The train stage as a command, in a folder with a tiny model and a few reviews."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
from ruamel.yaml import YAML

from sentiment.core.files import write_json
from sentiment.core.params import Params
from sentiment.core.parquet import write_parquet
from tests.pipeline.interruption import contents

ROOT = Path(__file__).parents[3]
PATIENCE = 600
"""Seconds."""


class TrainStage:
    """A folder in which the stage learns from reviews."""

    def __init__(self, folder: Path, pretrained: Path, reviews: pa.Table, params: Params) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        (folder / "models").mkdir(parents=True)
        (folder / "models/pretrained").symlink_to(pretrained)
        table = reviews.add_column(0, "id", pa.array([str(row) for row in range(reviews.num_rows)]))
        for split in ("train", "validation", "validation_sentences"):
            write_parquet(folder / f"data/tokenized/{split}.parquet", table)
        preprocessing = {"cleaning": {"html_breaks": True}, "emoji": {}, "tokenize": params.tokenize.model_dump()}
        write_json(folder / "data/tokenized/preprocessing.json", preprocessing)
        YAML().dump(params.model_dump(), folder / "params.yaml")

    def start(self, *launcher: str) -> subprocess.Popen[str]:
        """Start it, or a launcher that starts it, with its last words on stderr and all else in files."""
        inherited = {name: value for name, value in os.environ.items() if name != "SENTIMENT_CHECKPOINT_DIR"}
        process = subprocess.Popen(
            [sys.executable, "-m", *launcher, "stages.train"],
            cwd=self.folder,
            env=inherited | {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder)},
            text=True,
            stdout=(self.folder / "output").open("w"),
            stderr=(self.folder / "errors").open("w"),
        )
        self.started.append(process)
        return process

    def run(self, *launcher: str) -> dict[str, str]:
        """Run it to its end, and return the hashes of everything that it writes."""
        assert self.start(*launcher).wait(PATIENCE) == 0, self.errors()
        return self.results()

    def results(self) -> dict[str, str]:
        found = {}
        for place in ("models/sentiment", "metrics", "plots"):
            found |= {f"{place}/{name}": sha256 for name, sha256 in contents(self.folder / place).items()}
        return found

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def errors(self) -> list[str]:
        """Return the lines on stderr, without those of the progress bars and the notes of transformers."""
        lines = (self.folder / "errors").read_text().replace("\r", "\n").splitlines()
        return [line for line in lines if line.strip() and not re.search(r"it/s|s/it|\?it|^\[transformers\]", line)]

    def wait_for(self, wanted: str, process: subprocess.Popen[str]) -> None:
        """Wait until a file of that name is there."""
        deadline = time.monotonic() + PATIENCE
        while not list(self.folder.glob(wanted)):
            assert process.poll() is None, self.errors()
            assert time.monotonic() < deadline
            time.sleep(0.01)


def children(process: subprocess.Popen[str]) -> list[int]:
    """Return the ids of the processes that it has started, in their order."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
