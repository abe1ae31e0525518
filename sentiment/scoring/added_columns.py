"""The names of the columns that scoring adds to a table, which may have columns of these names already."""

from collections.abc import Iterable
from itertools import chain, count
from typing import NamedTuple

from sentiment.core.errors import UserError, abridge


class AddedColumns(NamedTuple):
    """The names of the verdict's column (positive or negative) and of the score's (the probability of positive)."""

    sentiment: str = "sentiment"
    score: str = "score"

    def prefixed(self, prefix: str) -> "AddedColumns":
        return AddedColumns(*(f"{prefix}{name}" for name in self))

    def taken(self, there: Iterable[str]) -> str | None:
        """Return the first of a table's columns that has one of the names, in upper or lower case; None if none has."""
        names = {name.casefold() for name in self}
        return next((name for name in there if name.casefold() in names), None)


PLAIN = AddedColumns()


def name_added(there: Iterable[str], source: str, prefix: str | None = None) -> AddedColumns:
    """Return names for the added columns that none of a table's columns has.

    They are `sentiment` and `score` after the prefix. Without one they get, only where a name is taken, both the first
    of predicted_, predicted_2_, predicted_3_ and so on that makes them free. Raises UserError where a chosen prefix
    does not.
    """
    there = list(there)
    if prefix is not None:
        if taken := PLAIN.prefixed(prefix).taken(there):
            raise UserError(f"{source} has a column {abridge(taken)} already: give another --prefix")
        return PLAIN.prefixed(prefix)
    prefixes = chain(["", "predicted_"], (f"predicted_{number}_" for number in count(2)))
    return next(names for names in map(PLAIN.prefixed, prefixes) if not names.taken(there))


def renaming(added: AddedColumns, there: Iterable[str]) -> str | None:
    """Say under which names the columns were added where the plain ones were taken, else return None."""
    taken = PLAIN.taken(there)
    if taken is None or added == PLAIN:
        return None
    return f"the file has a column {abridge(taken)} already, so the added ones are {added.sentiment} and {added.score}"
