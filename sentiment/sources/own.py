"""The splits of a folder in own/: tables by their names, or folders of texts by label."""

import re
from pathlib import Path

from sentiment.core.errors import UserError
from sentiment.sources.catalog import SplitName
from sentiment.tables.folders import labelled_parts
from sentiment.tables.formats import INPUT_ENDINGS, find_input, stem_of

SPLIT_WORD = re.compile(
    r"(?<![a-z])(?:(?P<train>train(?:ing)?)|(?P<test>test(?:ing)?)|(?P<validation>validation|valid|val|dev))(?![a-z])"
)
"""A word in a file's name that tells its split."""


def own_splits(folder: Path) -> dict[SplitName, Path]:
    """Return the table, or the folder of texts by label, of each split; what has no splits is all train.

    A validation split counts as the test split where there is none. What stands in the folder beside the splits is
    said. Raises UserError where more than one could be meant, and where there are all three.
    """
    inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    parts = {path: path.name.lower() for path in inside if path.is_dir() and labelled_parts(path)}
    parts |= {path: stem_of(path.name) for path in inside if path.is_file() and find_input(path.name)}
    found = {split: path for split in ("train", "test", "validation") if (path := _only(folder, parts, split))}
    if "train" not in found:
        if labelled_parts(folder):
            return {"train": folder}
        below = [path for path in inside if path.is_dir()]
        if len(below) == 1 and not any(find_input(path.name) not in {None, "txt"} for path in parts):
            return own_splits(below[0])
        raise UserError(f"{folder} has no train file: name one train.csv, or train with {INPUT_ENDINGS}")
    unread = [path.name for path in parts if path not in found.values()]
    if unread:
        print(f"{folder}: not read, as their names tell no split: {', '.join(unread)}")
    splits: dict[SplitName, Path] = {"train": found["train"]}
    validation = found.get("validation")
    if validation and "test" in found:
        raise UserError(
            f"{folder} has {validation.name} beside {found['train'].name} and {found['test'].name}, but the validation "
            "reviews are drawn from the training reviews (subsample.validation_share): "
            f"add what is in {validation.name} to {found['train'].name}, or move it out of {folder}"
        )
    if validation:
        print(f"{folder}: {validation.name} is the test split, as there is no other")
    if test := found.get("test") or validation:
        splits["test"] = test
    return splits


def _only(folder: Path, parts: dict[Path, str], split: str) -> Path | None:
    """Return the part of a split: the one whose name is its word, else the one that has the word in its name."""
    words = {path: word for path, stem in parts.items() if (word := SPLIT_WORD.search(stem)) and word[split]}
    exact = [path for path, word in words.items() if word[0] == parts[path]]
    several = exact or list(words)
    if len(several) > 1:
        listed = " and ".join(path.name for path in several)
        raise UserError(f"{folder} has both {listed}: leave one {split}.* there")
    return several[0] if several else None
