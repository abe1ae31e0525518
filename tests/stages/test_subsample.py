"""Subsample: what goes in, what comes out, and what is refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.errors import UserError
from sentiment.params import Cleaning
from sentiment.reviews import check, prepare, read_parquet, without
from stages import subsample

ROOT = Path(__file__).resolve().parents[2]
REAL_REVIEWS = Path(os.environ.get("REAL_REVIEWS", ROOT.parent / "shared" / "data"))
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder of a stage: params.yaml, and 400 raw reviews without a test split."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    write(tmp_path, "train", reviews(400))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def reviews(count: int, start: int = 0) -> pd.DataFrame:
    texts = [f"review {number} was {'good' if number % 2 else 'bad'}" for number in range(start, start + count)]
    return pd.DataFrame({"text": texts, "label": pd.array([n % 2 for n in range(start, start + count)], "int8")})


def write(folder: Path, split: str, table: pd.DataFrame) -> None:
    path = folder / "data/raw" / f"{split}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path)


def read(split: str) -> pd.DataFrame:
    return pq.read_table(f"data/subsampled/{split}.parquet").to_pandas()


def set_parameter(line: str, value: str) -> None:
    path = Path("params.yaml")
    text = path.read_text(encoding="utf-8")
    assert text.count(line) == 1
    path.write_text(text.replace(line, value), encoding="utf-8")


def test_splits_are_disjoint_stratified_and_of_the_sizes_asked_for(folder: Path) -> None:
    subsample.main()
    splits = {name: read(name) for name in ("train", "validation", "test")}

    assert {name: len(table) for name, table in splits.items()} == {"train": 288, "validation": 32, "test": 80}
    assert all(table.label.mean() == 0.5 for table in splits.values())
    assert len(set().union(*(table.id for table in splits.values()))) == 400


def test_the_order_of_the_rows_has_no_influence(folder: Path) -> None:
    subsample.main()
    before = {path.name: path.read_bytes() for path in Path("data/subsampled").iterdir()}
    write(folder, "train", reviews(400).sample(frac=1, random_state=0))
    subsample.main()

    assert {path.name: path.read_bytes() for path in Path("data/subsampled").iterdir()} == before


def test_another_seed_draws_other_training_reviews_but_the_same_test_reviews(folder: Path) -> None:
    subsample.main()
    train, test = read("train"), read("test")
    set_parameter("seed: 42", "seed: 43")
    subsample.main()

    assert read("test").equals(test)
    assert not read("train").equals(train)


def test_training_reviews_that_stand_in_the_test_split_are_dropped_and_counted(folder: Path) -> None:
    write(folder, "test", pd.concat([reviews(10), reviews(100, start=1000)]))
    subsample.main()
    counts = json.loads(Path("metrics/subsample.json").read_text(encoding="utf-8"))

    assert counts["source"]["train"]["in_test"] == 10
    assert set(read("test").text) == set(reviews(10).text) | set(reviews(100, start=1000).text)
    assert not set(read("train").id) & set(read("test").id)


def test_everything_read_is_kept_or_counted_as_dropped(folder: Path) -> None:
    extra = pd.DataFrame(
        {
            "text": ["  <br /> ", "REVIEW 1  was good", "both", "Both", "caf\u00e9", "cafe\u0301"],
            "label": pd.array([0, 1, 0, 1, 1, 1], "int8"),
        }
    )
    write(folder, "train", pd.concat([reviews(400), extra]))
    subsample.main()
    counts = json.loads(Path("metrics/subsample.json").read_text(encoding="utf-8"))

    assert counts["source"]["train"] == {"read": 406, "empty": 1, "contradictory": 2, "duplicate": 2, "not_drawn": 0}
    assert sum(split["kept"] for split in counts["splits"].values()) == 401


def test_balance_drops_training_reviews_of_the_larger_class_only(folder: Path) -> None:
    unbalanced = reviews(400)
    write(folder, "train", unbalanced[(unbalanced.label == 1) | (unbalanced.index < 200)])
    set_parameter("balance: false", "balance: true")
    subsample.main()

    counts = json.loads(Path("metrics/subsample.json").read_text(encoding="utf-8"))
    assert counts["source"]["train"]["not_drawn"] == 300 - sum(split["kept"] for split in counts["splits"].values()) > 0
    assert read("train").label.mean() == 0.5
    assert read("test").label.mean() == pytest.approx(2 / 3, abs=0.01)


FAULTS: dict[str, tuple[Change, str]] = {
    "no rows": (lambda table: table.head(0), "data/raw/train.parquet has no rows"),
    "no label column": (lambda table: table[["text"]], "data/raw/train.parquet has no column label"),
    "label 2": (
        lambda table: table.assign(label=[0, 1, 2, *[0] * 397]),
        "data/raw/train.parquet, row 2: label is 2, but must be 0 (negative) or 1 (positive)",
    ),
    "fractional labels": (lambda table: table.astype({"label": "float32"}), "column label is of type float"),
    "numbers as text": (lambda table: table.assign(text=1), "column text is of type int64, but must be string"),
    "one class": (
        lambda table: table[table.label == 1],
        "data/raw/train.parquet needs at least 2 negative reviews, but has 0",
    ),
    "null text": (
        lambda table: table.assign(text=[None, *table.text[1:]]),
        "data/raw/train.parquet, row 0: text is null",
    ),
    "null label": (
        lambda table: table.assign(label=pd.array([0, None, *[1] * 398], "Int8")),
        "data/raw/train.parquet, row 1: label is null",
    ),
    "10 MB of text": (
        lambda table: table.assign(text=[*table.text[:3], "x" * 10_000_000, *table.text[4:]]),
        "data/raw/train.parquet, row 3: the text has 10,000,000 characters, but a review has at most 1,000,000",
    ),
    "too few to stratify": (
        lambda table: table.head(8),
        "the validation split needs at least 2 negative reviews, but has 1: raise subsample's sizes and shares",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_table_is_refused_with_its_place_and_leaves_nothing(folder: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    write(folder, "train", change(reviews(400)))

    with pytest.raises(UserError) as caught:
        subsample.main()

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in folder.iterdir()) == ["data", "params.yaml"]
    assert [path.name for path in (folder / "data").iterdir()] == ["raw"]


@pytest.mark.parametrize("size", [0, 4, 1000])
def test_a_truncated_table_is_refused(folder: Path, size: int) -> None:
    path = folder / "data/raw/train.parquet"
    path.write_bytes(path.read_bytes()[:size])

    with pytest.raises(UserError, match=r"data/raw/train\.parquet is (empty|not a whole parquet file)"):
        subsample.main()


def test_more_reviews_than_there_are_can_not_be_drawn(folder: Path) -> None:
    set_parameter("  train_size:\n", "  train_size: 500\n")

    with pytest.raises(UserError, match=r"subsample\.train_size is 500, but only 320 reviews are left"):
        subsample.main()


def real(name: str) -> tuple[pd.DataFrame, int]:
    """Return a real dataset's usable reviews and its number of rows; skip where it is not at hand, but not in CI."""
    path = REAL_REVIEWS / f"{name}.parquet"
    if not path.is_file():
        assert os.environ.get("CI") != "true", f"{path} is missing"
        pytest.skip(f"{path} is not on this machine")
    table = check(read_parquet(path, ["text", "label"]), name)
    as_they_are = Cleaning(html_breaks=False, control_characters=False, unicode_nfc=False)
    return prepare(table, as_they_are)[0], table.num_rows


@pytest.mark.parametrize(
    ("name", "repeated", "contradictory"), [("imdb-train", 96, 0), ("imdb-test", 199, 0), ("sst2-train", 371, 5)]
)
def test_the_known_duplicates_of_real_datasets_are_dropped(name: str, repeated: int, contradictory: int) -> None:
    kept, rows = real(name)

    assert rows - len(kept) == repeated + contradictory


def test_the_known_reviews_that_imdb_has_in_both_splits_are_found() -> None:
    train, _ = real("imdb-train")
    test, _ = real("imdb-test")

    assert len(train) - len(without(train, test)) == 123
