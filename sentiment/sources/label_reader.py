"""From the labels of a source to 0 (negative) and 1 (positive), never by a guess."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sentiment.core.errors import UserError, abridge
from sentiment.core.labels import PLAIN, Labels, label_name, propose
from sentiment.core.parquet import whole_parquet
from sentiment.tables.source import find_source

DROPPED = -1
EMPTY = ""
LISTED = 10
"""Labels that an error shows at most."""
MOST_SEEN = 1000
"""Labels after which a column is taken for something else, and refused at once."""


class LabelReader:
    """Maps labels batch by batch, and remembers those it saw, so that a refusal can show them all."""

    def __init__(self, column: str, labels: Labels | None, key: str) -> None:
        """Take `labels`, or where it is None the plain ones; `key` is where the reader says what labels mean."""
        self.column, self.labels, self.key = column, labels, key
        self.known = PLAIN if labels is None else labels
        self.seen: set[str] = set()
        self.first_unknown: str | None = None

    def __call__(self, values: pa.Array, place: str, rows: NDArray[np.integer]) -> pa.Array:
        """Return int8: 0, 1, or DROPPED; null for null, unless the rule has the empty label, which null then is.

        An unknown label is DROPPED, and `finish` refuses it.
        """
        kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string, pa.types.is_null)
        if not any(is_kind(values.type) for is_kind in kinds):
            raise UserError(
                f"{place}: column {self.column} is of type {values.type}, but must be whole numbers, text or booleans"
            )
        if EMPTY in self.known and values.null_count:
            values = pc.fill_null(values.cast(pa.string()), EMPTY)
        if pa.types.is_null(values.type):
            return pa.nulls(len(values), pa.int8())
        encoded = values.dictionary_encode()
        try:
            names = [label_name(value) for value in encoded.dictionary.to_pylist()]
        except UnicodeDecodeError:
            raise UserError(f"{place}: column {self.column} is not UTF-8; write it anew in UTF-8") from None
        self.seen.update(names)
        unknown = pa.array([name not in self.known for name in names], pa.bool_())
        if self.first_unknown is None and pc.any(unknown).as_py():
            first = pc.index(pc.take(unknown, encoded.indices), True).as_py()
            self.first_unknown = f"{place}, row {rows[first]}"
        if len(self.seen) > MOST_SEEN:
            self.finish()
        meanings = [DROPPED if self.known.get(name, "drop") == "drop" else self.known[name] for name in names]
        return pc.take(pa.array(meanings, pa.int8()), encoded.indices)

    def finish(self) -> None:
        """Raise UserError if a label had no meaning: where the first one is, all that were seen, and what to say."""
        if self.first_unknown is None:
            return
        names = sorted(self.seen if self.labels is None else self.seen - self.known.keys(), key=_order)
        problem = f"{self.first_unknown}: column {self.column} has {_list(names)}"
        if self.labels is None:
            raise UserError(f"{problem}: {_remedy(names, self.key)}")
        raise UserError(
            f"{problem}, but {self.key} has {', '.join(sorted(self.known, key=_order))}: "
            f"add what is missing, as 0 (negative), 1 (positive) or drop (the row is left out){_how(names)}"
        )


def declared_labels(path: Path, column: str, key: str) -> Labels | None:
    """Return what the names that a file declares for its label numbers mean, or None where it declares none.

    Else a dataset whose 0 is named "pos" would be read upside down. Raises UserError for names that say nothing.
    """
    names = _declared_names(path, column)
    if all(label_name(name) in PLAIN for name in names):
        return {str(number): PLAIN[label_name(name)] for number, name in enumerate(names)} or None
    meanings = _list([f"{number} ({name})" for number, name in enumerate(names)])
    raise UserError(f"{path}: column {column} has {meanings}: {_remedy([str(i) for i in range(len(names))], key)}")


def _declared_names(path: Path, column: str) -> list[str]:
    """Return the names that a parquet file of the hub's `datasets` library gives the numbers of a column from 0 on."""
    source = find_source(path)
    if source.kind != "parquet":
        return []
    with whole_parquet(path), source.open_bytes() as (content, _):
        metadata = pq.read_schema(content).metadata or {}
    try:
        return list(map(str, json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]))
    except (ValueError, LookupError, TypeError):
        return []


def _remedy(names: list[str], key: str) -> str:
    if len(names) > LISTED:
        return f"is it the right column? {key} must say what each label means, 0 (negative), 1 (positive) or drop"
    blank = "; fill in what is blank" if " ," in (rule := propose(names)) or " }" in rule else ""
    return (
        "which of these are positive must be said, 0 (negative), 1 (positive) or drop (the row is left out), "
        f"in {key}, for example {rule}{blank}"
    )


def _how(names: list[str]) -> str:
    return f"; the empty label as {EMPTY!r}: drop" if EMPTY in names else ""


def _list(names: list[str]) -> str:
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(map(abridge, names[:LISTED])) + more


def _order(name: str) -> tuple[bool, float, str]:
    """Sort numbers by value, before words."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name
