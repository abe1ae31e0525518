"""How far the scoring of many files is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm


@dataclass
class Progress:
    """A bar in bytes of input, as the rows of a file are known only once it was read; beside it rows and rows/s."""

    bar: "tqdm[Any]"
    started: float
    files: int
    rows: int = 0

    def scored(self, rows: int) -> None:
        """Count rows."""
        self.rows += rows
        left = f"{self.files:,} files left"
        self.bar.set_postfix_str(f"{self.rows:,} rows, {self.rate:,.0f} rows/s, {left}", refresh=False)
        self.bar.update(0)

    def read(self, size: int) -> None:
        """Count bytes of a file that are done with."""
        self.bar.update(size)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self.bar.write(line)

    @property
    def rate(self) -> float:
        return self.rows / max(time.monotonic() - self.started, 1e-9)


@contextmanager
def progress_of(size: int, files: int) -> Iterator[Progress]:
    """Yield the progress of files of this size in bytes."""
    with tqdm(total=size, desc="score", unit="B", unit_scale=True) as bar:
        yield Progress(bar, time.monotonic(), files)
