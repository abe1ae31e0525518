"""Where real reviews and the tokenizers of pretrained models lie, which are no part of this repository.

data/real/reviews/NAME.parquet (columns text and label) and data/real/tokenizers/ORG__NAME/: folders or links.
docs/datasets.md says what the reviews are and whose.
"""

from pathlib import Path

from sentiment.core.errors import UserError

REVIEWS = Path("data/real/reviews")
TOKENIZERS = Path("data/real/tokenizers")


def reviews(name: str) -> Path:
    """Return the file of a set of real reviews; raise UserError where it is missing."""
    return present(REVIEWS / f"{name}.parquet")


def present(path: Path) -> Path:
    """Return the path; raise UserError where nothing is there."""
    if not path.exists():
        raise UserError(f"{path} is missing: put it, or a link to it, there: docs/measurements.md says more")
    return path
