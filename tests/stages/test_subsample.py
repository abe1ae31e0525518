"""Subsample: what goes in, what comes out, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.errors import UserError
from sentiment.reviews import disk_sort
from stages import subsample

ROOT = Path(__file__).resolve().parents[2]
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


def labelled(texts: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"text": texts, "label": pd.array([number % 2 for number in range(len(texts))], "int8")})


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


@pytest.mark.parametrize("rows_per_group", [7, 100, 400])
def test_the_layout_of_the_row_groups_has_no_influence(folder: Path, rows_per_group: int) -> None:
    subsample.main()
    before = {path.name: path.read_bytes() for path in Path("data/subsampled").iterdir()}
    path = folder / "data/raw/train.parquet"
    pq.write_table(pq.read_table(path), path, row_group_size=rows_per_group)
    subsample.main()

    assert {path.name: path.read_bytes() for path in Path("data/subsampled").iterdir()} == before


def test_more_reviews_than_a_bucket_holds_come_out_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subsample.main()
    before = {name: read(name) for name in ("train", "validation", "test")}
    monkeypatch.setattr(disk_sort, "SIZE", 50)
    subsample.main()

    assert pq.ParquetFile("data/subsampled/train.parquet").num_row_groups == 6
    assert sorted(path.name for path in Path("data/subsampled").iterdir()) == [
        "test.parquet",
        "train.parquet",
        "validation.parquet",
    ]
    for name, table in before.items():
        pd.testing.assert_frame_equal(read(name), table)


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


LONG = "The review that somebody wrote after the second half of the first night, number {} of its kind."


def test_training_reviews_that_share_most_with_a_test_review_are_dropped_and_counted_by_kind(folder: Path) -> None:
    tests = [LONG.format(f"{number} {number}th" * 3) for number in range(4)]
    train = [
        tests[0].upper().replace(",", " --"),
        f"I had this to say. {tests[1]} And that is all.",
        tests[2][10:70],
        tests[3].replace("second", "first"),
    ]
    write(folder, "test", pd.concat([reviews(100, start=1000), labelled(tests)]))
    write(folder, "train", pd.concat([reviews(400), labelled(train)]))
    subsample.main()
    counts = json.loads(Path("metrics/subsample.json").read_text(encoding="utf-8"))

    assert set(read("test").text) == {*reviews(100, start=1000).text, *tests}
    assert not set(train) & {*read("train").text, *read("validation").text}
    leaked = {
        name: sum(counts["splits"][split][f"leaked_{name}"] for split in ("train", "validation"))
        for name in ("exact", "contained", "near")
    }
    assert leaked == {"exact": 1, "contained": 2, "near": 1}
    assert sum(split["kept"] for split in counts["splits"].values()) == 504


def test_what_train_and_validation_share_leaves_validation(folder: Path) -> None:
    twins = [LONG.format(number // 2) + "!" * (number % 2) for number in range(200)]
    write(folder, "train", pd.concat([reviews(400), labelled(twins)]))
    write(folder, "test", reviews(100, start=1000))
    set_parameter("near_duplicate: 0.5", "near_duplicate: 1")
    subsample.main()
    counts = json.loads(Path("metrics/subsample.json").read_text(encoding="utf-8"))["splits"]

    assert counts["train"]["kept"] == 540
    assert counts["validation"]["leaked_exact"] > 10
    assert counts["validation"]["kept"] + counts["validation"]["leaked_exact"] == 60
    assert not {text.strip("!") for text in read("validation").text} & {text.strip("!") for text in read("train").text}


def test_short_reviews_of_like_words_are_on_one_side_of_the_cut_between_train_and_validation(folder: Path) -> None:
    words = [" ".join(f"{letter}{number}" for letter in "abcd") for number in range(200)]
    pairs = [f"{text} {verb}" for text in words for verb in ("can", "can't")]
    write(folder, "train", labelled(pairs))
    write(folder, "test", reviews(100, start=1000))
    set_parameter("near_duplicate: 0.5", "near_duplicate: 1")
    subsample.main()
    sides = {name: {text.split()[0] for text in read(name).text} for name in ("train", "validation")}
    ids = [read(name).id.tolist() for name in ("train", "validation")]

    assert not sides["train"] & sides["validation"]
    assert len(sides["train"]) + len(sides["validation"]) == 200
    assert 25 < len(read("validation")) < 55
    assert ids == [sorted(listed) for listed in ids]


def test_splits_that_leak_altogether_are_refused_and_leave_nothing(folder: Path) -> None:
    write(folder, "train", labelled([LONG.format(number) for number in range(400)]))

    with pytest.raises(UserError, match=r"^the train split without what leaks needs at least 2 negative reviews, but"):
        subsample.main()
    assert [path.name for path in (folder / "data").iterdir()] == ["raw"]


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
