"""Labels that may be wrong are ranked and counted; reviews to label are ranked by what their labels would teach."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks import flipped_labels, label_audit, to_label
from sentiment.core.errors import UserError
from sentiment.core.params import Params
from sentiment.core.parquet import write_parquet
from tests.conftest import BAD, GOOD
from tests.project import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with this project's parameters, where a test runs."""
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    (tmp_path / "benchmarks").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def audit(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["label_audit", *arguments])
    label_audit.main()


def scored(wrong: dict[int, float]) -> pa.Table:
    """100 reviews that a model is right and sure of but for some, whose scores are given by row."""
    labels = [0, 1] * 50
    scores = [0.9 if label else 0.1 for label in labels]
    for row, score in wrong.items():
        scores[row] = score
    texts = [f"=review | <b>number</b> {row}" for row in range(100)]
    ids = [f"{row:016x}" for row in range(100)]
    return pa.table({"id": ids, "text": texts, "label": pa.array(labels, pa.int8()), "score": scores})


def test_the_audit_writes_a_ranked_table_that_people_can_open_and_counts_by_label(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(label_audit.SCORES, scored({10: 0.97, 21: 0.02, 33: 0.005}))
    audit(monkeypatch)

    with label_audit.SUSPECTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["label"], float(row["score"])) for row in rows] == [
        (f"{33:016x}", "positive", 0.005),
        (f"{21:016x}", "positive", 0.02),
        (f"{10:016x}", "negative", 0.97),
    ]
    assert json.loads(label_audit.RESULTS.read_text(encoding="utf-8")) == {
        "reviews": 100,
        "suspects": {"all": 3, "negative": 1, "positive": 2},
    }
    assert "3 of 100 labels may be wrong: data/label_audit.csv has them" in capsys.readouterr().out


def test_without_folds_the_audit_says_what_makes_them_and_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"^data/folds/scores\.parquet is missing: make folds makes it"):
        audit(monkeypatch)
    assert not (folder / "data").exists()


def test_where_the_model_has_no_doubts_nothing_is_suspected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(label_audit.SCORES, scored({}))
    audit(monkeypatch)

    assert label_audit.SUSPECTS.read_text(encoding="utf-8").splitlines() == ['"id","label","score","text"']


def test_flipped_labels_are_among_the_first_suspects_where_words_tell(params_with: Callable[..., Params]) -> None:
    draw = np.random.default_rng(0)
    labels = np.array([0, 1] * 150)
    subjects = [f"{first}{second}" for first in "abcdefghijklmnopqrst" for second in "uvwxyzabcdefghi"]
    texts = [
        f"{subject} {' '.join(draw.choice([BAD, GOOD][label], 2, replace=False))} {subject}ly"
        for subject, label in zip(subjects, labels, strict=True)
    ]
    found = flipped_labels.try_on(pd.DataFrame({"text": texts, "label": labels}), 0.05, params_with())

    assert (found["reviews"], found["flipped"]) == (300, 15)
    assert found["accuracy"] > 0.9
    for among in found["among"]:
        assert among["first"] <= found["suspects"]
        assert among["precision"] == among["found"] / among["first"] > 0.8
        assert among["recall"] == among["found"] / 15 >= 0.6


def test_labels_are_flipped_by_the_seed_and_as_many_as_was_said() -> None:
    labels = np.array([0, 1] * 500)

    first, same, other = (flipped_labels.flip(labels, 0.02, seed) for seed in (1, 1, 2))
    assert first.sum() == other.sum() == 20
    assert (first == same).all()
    assert (first != other).any()


@pytest.mark.parametrize("share", ["0", "0.5", "2"])
def test_a_share_that_would_flip_none_or_most_is_refused(share: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["flipped_labels", "--share", share])

    with pytest.raises(UserError, match=r"^--share is .*, but must be more than 0 and less than 0\.5$"):
        flipped_labels.main()


def test_the_nearer_a_score_is_to_one_half_the_earlier_its_review_comes_whatever_the_order_of_the_rows() -> None:
    texts = ["sure praise of it", "no idea at all", "sure blame of something", "rather for than against", "who knows"]
    scores = np.array([0.99, 0.52, 0.03, 0.7, 0.48])
    first = to_label.to_label(texts, scores, 0.5)

    assert first.tolist()[2:] == [3, 2, 0]
    shuffled = np.array([3, 0, 4, 1, 2])
    again = to_label.to_label([texts[row] for row in shuffled], scores[shuffled], 0.5)
    assert shuffled[again].tolist() == first.tolist()


def test_a_file_without_labels_is_ranked_the_most_uncertain_first_and_near_duplicates_once(
    folder: Path, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(to_label, "MODEL", exported)
    reviews = ["the film was good", "the  FILM was good!", "the plot", "", "a boring book and its cast"]
    Path("reviews.csv").write_text(
        "stars;text\n" + "".join(f"{number};{review}\n" for number, review in enumerate(reviews)), encoding="utf-8"
    )
    audit(monkeypatch, "--unlabelled", "reviews.csv", "-o", "ranked.jsonl")

    rows = [json.loads(line) for line in Path("ranked.jsonl").read_text(encoding="utf-8").splitlines()]
    margins = [abs(row["score"] - 0.5) for row in rows]
    assert margins == sorted(margins)
    assert rows[0].keys() == {"stars", "text", "sentiment", "score"}
    assert sorted(row["stars"] for row in rows) in (["0", "2", "4"], ["1", "2", "4"])
    output = capsys.readouterr().out
    assert "3 of 5 rows are in ranked.jsonl" in output
    assert "1 are left out as near-duplicates of others" in output
    assert "1 are left out as they hold no text" in output


def test_a_file_can_be_ranked_only_with_a_model_and_never_onto_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"^none\.csv is missing: give the path of a file that exists$"):
        audit(monkeypatch, "--unlabelled", "none.csv")
    Path("reviews.csv").write_text("text\na joy\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"^models/exported is missing: dvc repro makes it$"):
        audit(monkeypatch, "--unlabelled", "reviews.csv")
    with pytest.raises(UserError, match=r"is the input itself, which would be lost: name another file with -o$"):
        audit(monkeypatch, "--unlabelled", "reviews.csv", "-o", "reviews.csv")
    with pytest.raises(UserError, match=r"its name must end in \.csv"):
        audit(monkeypatch, "--unlabelled", "reviews.csv", "-o", "ranked")
    assert sorted(path.name for path in folder.iterdir()) == ["benchmarks", "params.yaml", "reviews.csv"]


def test_a_column_of_texts_that_is_not_there_is_refused_with_those_that_are(
    folder: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_label, "MODEL", exported)
    Path("reviews.csv").write_text("review,date\na joy,today\n", encoding="utf-8")

    with pytest.raises(UserError, match=r"has no column text: choose one with --text: review, date"):
        audit(monkeypatch, "--unlabelled", "reviews.csv")
