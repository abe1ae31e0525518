"""A file in, a scored file out."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.files import Outcome, columns_of, reading_of, score_file
from app.views import summary
from sentiment.core.errors import UserError
from sentiment.core.reading import Reading
from sentiment.model.decision import Decision
from sentiment.scoring.rows import CHUNK
from sentiment.serving.predictor import Predictor

ROWS = [["=cmd|' /C calc'!A0", "good"], ["@SUM(1)", "bad"], ["-5", "-boring"], ["+1.5e3", "+ good"], ["\tx", ""]]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my reviews.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["=note", "review"], *ROWS])
    return path


def no_progress(done: int, rows: int) -> None:
    pass


def score(path: Path, text: str, form: str, predictor: Predictor) -> Outcome:
    return score_file(
        path, text, form, path.parent, score=lambda texts: predictor.score_texts(texts).tolist(), progress=no_progress
    )


def test_the_likeliest_column_of_texts_comes_first(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1], "user": ["a"], "Review Text": ["good"], "stars": [2.5]}), path)

    assert columns_of(table) == ["review", "=note"]
    assert columns_of(path) == ["Review Text", "user"]


def test_all_columns_are_kept_and_what_a_spreadsheet_would_run_gets_a_quote(table: Path, predictor: Predictor) -> None:
    outcome = score(table, "review", "csv", predictor)

    assert [path.name for path in outcome.paths] == ["my_reviews-scored.csv", "my_reviews-set-aside.jsonl"]
    with outcome.paths[0].open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=note", "review", "sentiment", "score"]
    assert [row[:2] for row in rows] == [
        ["'=cmd|' /C calc'!A0", "good"],
        ["'@SUM(1)", "bad"],
        ["-5", "'-boring"],
        ["+1.5e3", "'+ good"],
    ]
    assert [float(row[3]) for row in rows] == predictor.score_texts([row[1] for row in ROWS[:4]]).round(6).tolist()
    assert json.loads(outcome.paths[1].read_text())["reason"] == "the text is empty"
    assert outcome.rejected == ["row 6: the text is empty"]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_other_formats_keep_every_value_as_it_is(table: Path, predictor: Predictor, form: str) -> None:
    (path, _) = score(table, "review", form, predictor).paths
    rows = (
        pq.read_table(path).to_pylist()
        if form == "parquet"
        else [json.loads(line) for line in path.open(encoding="utf-8")]
    )

    assert [[row["=note"], row["review"]] for row in rows] == ROWS[:4]
    assert {row["sentiment"] for row in rows} <= {"positive", "negative"}


def test_a_file_with_columns_named_as_the_added_ones_is_scored_and_told_so(
    tmp_path: Path, predictor: Predictor
) -> None:
    path = tmp_path / "play_store.csv"
    path.write_text("content,score,predicted_score\ngood,5,1\n")
    outcome = score(path, "content", "csv", predictor)

    (written,) = outcome.paths
    header, row = csv.reader(written.open(newline=""))
    assert header == ["content", "score", "predicted_score", "predicted_2_sentiment", "predicted_2_score"]
    assert row[:4] == ["good", "5", "1", "positive"]
    told = "The file has a column score already, so the added ones are predicted_2_sentiment and predicted_2_score."
    assert told in summary(outcome, Decision())


def test_how_the_texts_are_spelled_is_told_of_the_whole_file(tmp_path: Path, predictor: Predictor) -> None:
    path = tmp_path / "german.csv"
    path.write_text("text\n" + "sehr langweilig\n" * 70)
    outcome = score_file(
        path,
        "text",
        "csv",
        tmp_path,
        score=lambda texts: [0.5] * len(texts),
        progress=no_progress,
        spell=predictor.spell,
    )

    assert outcome.spelled.words == 140
    assert "their words take" in str(predictor.strange(outcome.spelled))


def test_progress_is_told_in_rows(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("text\n" + "good\n" * 600)
    told: list[tuple[int, int]] = []
    score_file(
        path, "text", "csv", tmp_path, score=lambda texts: [0.5] * len(texts), progress=lambda *at: told.append(at)
    )

    assert told == [(done, 600) for done in range(0, 600, CHUNK)]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "a.csv is empty"),
        ("a.csv", b'text\n"never closed', "quotes"),
        ("a.parquet", b"PAR1 no", "not a whole parquet file"),
        ("a.csv.gz", b"no gzip", "not a whole gzip file"),
        ("a.doc", b"x", "no known format"),
        ("a.xlsx", b"x", "not a whole xlsx file"),
        ("a.csv", b"a,a\n1,2\n", "twice"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UserError, match=said):
        columns_of(tmp_path / name)


def test_a_file_that_begins_with_data_is_refused_and_then_read_by_the_names_of_its_columns(
    tmp_path: Path, predictor: Predictor
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("So good that I went again;5\nSo bad that I left;1\n")
    with pytest.raises(UserError, match=r"a\.csv: its first row looks like data \(5 is a number\)") as caught:
        columns_of(path)
    assert str(caught.value).endswith("name its columns, as in columns text,label")
    said: list[str] = []
    assert columns_of(path, reading_of("", "", "text, stars"), said.append) == ["text", "stars"]
    assert said == [f"{path}: its delimiter is the semicolon, as its rows show"]
    outcome = score_file(
        path,
        "text",
        "csv",
        tmp_path,
        score=lambda texts: predictor.score_texts(texts).tolist(),
        progress=no_progress,
        reading=reading_of("", "semicolon", "text, stars"),
    )
    assert (len(outcome.scores), outcome.rejected) == (2, [])


def test_what_is_said_of_a_file_is_checked(tmp_path: Path) -> None:
    assert reading_of(" cp1252 ", "\t", "") == Reading(encoding="cp1252", delimiter="\t")
    with pytest.raises(UserError, match="the file: encoding needs the name of one of Python's encodings"):
        reading_of("windows", None, None)


def test_the_summary_counts_the_unsure_apart_and_escapes_what_it_quotes() -> None:
    shown = summary(Outcome([], [0.01, 0.5, 0.6, 0.99, 0.999], ["row 2: <b>x</b>"] * 7), Decision())

    assert "5 reviews read" in shown
    for count, name in ((2, "positive"), (2, "unsure"), (1, "negative")):
        assert f"<strong>{count}</strong><span>{name}" in shown
    assert "&lt;b&gt;x&lt;/b&gt;" in shown
    assert "and 2 more" in shown
    assert "<b>" not in shown


def test_a_file_without_a_text_has_a_summary_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n\n,1\n")
    outcome = score_file(tmp_path / "a.csv", "text", "csv", tmp_path, score=list, progress=no_progress)

    assert "0 reviews read" in summary(outcome, Decision())
