"""Folders of reviews by label: a text file each, as in pos/1.txt, or files of lines, as rt.pos and rt.neg."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sentiment.core.errors import UserError, abridge
from sentiment.core.labels import PLAIN, label_name
from sentiment.core.texts import is_text
from sentiment.tables.lines import open_lines
from sentiment.tables.rows import BadRow, Row, legible
from sentiment.tables.source import Source
from sentiment.tables.text_table import TextTable


def labelled_parts(folder: Path) -> dict[Path, str]:
    """Return the subfolders of texts, or the files of lines, by label; none unless there are some of each label."""
    folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    for parts in (
        {path: label_name(path.name) for path in folders},
        {path: label_name(path.suffix[1:]) for path in _visible(folder)},
    ):
        known = {path: label for path, label in parts.items() if label in PLAIN and not label.isdecimal()}
        if {PLAIN[label] for label in known.values()} == {0, 1}:
            return known
    return {}


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


class Folder(TextTable):
    """The texts of a folder by label, as the columns file, label and text; numbered from 1 in the order of names."""

    def __init__(self, source: Source, encoding: str) -> None:
        self.path, self.encoding, self.names = source.path, encoding, ["file", "label", "text"]
        self.parts = labelled_parts(source.path)
        if not self.parts:
            raise UserError(
                f"{source.path} is a folder without texts by label, as in pos and neg: name one of its files or folders"
            )
        left = [path for path in sorted(source.path.iterdir()) if path.is_dir() and path not in self.parts]
        self.notes = tuple(
            f"{path} is left out, with {len(files):,} texts, as its name is no label"
            for path in left
            if (files := _visible(path))
        )

    @contextmanager
    def open(self) -> Iterator[tuple[Iterator[Row | BadRow], Callable[[], int]]]:
        done = [0]
        yield self._rows(done), lambda: done[0]

    def files(self) -> Iterator[tuple[Path, str]]:
        """Yield the files and their labels, in order."""
        for part, label in self.parts.items():
            for path in _visible(part) if part.is_dir() else [part]:
                yield path, label

    def _rows(self, done: list[int]) -> Iterator[Row | BadRow]:
        number = 0
        for path, label in self.files():
            name = path.relative_to(self.path).as_posix()
            with open_lines(path, encoding=self.encoding) as (lines, _):
                for text in lines if path in self.parts else ["".join(lines)]:
                    if path in self.parts and not text.strip():
                        continue
                    number += 1
                    if is_text(text):
                        yield number, [name, label, text.rstrip("\r\n")]
                    else:
                        yield BadRow(number, "", legible(text), foreign=abridge(name))
            done[0] += path.stat().st_size
