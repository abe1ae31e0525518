import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment import predict
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.tables.formats import FORMATS
from tests.conftest import ROOT
from tests.sentiment.scoring.files import Command, read, write

PREDICT = [sys.executable, "-m", "sentiment.predict"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_keeps_its_columns_and_gets_sentiment_and_score(
    command: Command, toy_reviews: pa.Table, scores: list[float], form: str
) -> None:
    write(f"reviews.{form}", toy_reviews.append_column('a, "b"', pa.array(["x\ny"] * 64)))
    command(f"reviews.{form}", "-o", f"scored.{form}")

    rows = read(f"scored.{form}")
    assert [row["text"] for row in rows] == toy_reviews["text"].to_pylist()
    assert [int(row["label"]) for row in rows] == toy_reviews["label"].to_pylist()
    assert {row['a, "b"'] for row in rows} == {"x\ny"}
    assert [float(row["score"]) for row in rows] == scores
    assert [row["sentiment"] for row in rows] == ["positive" if score >= 0.5 else "negative" for score in scores]
    assert sorted(path.name for path in Path().iterdir()) == [f"reviews.{form}", f"scored.{form}"]


@pytest.mark.parametrize("target", ["scored.csv", "scored/"])
def test_the_models_threshold_makes_the_sentiment_and_the_metrics(
    target: str,
    exported: Path,
    toy_reviews: pa.Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported, "exported")
    write_json("exported/decision.json", {"threshold": 0.000002, "low": 0.0, "high": 1.0})
    write("reviews.csv", toy_reviews)
    options = ["reviews.csv", "-o", target, "--output-format", "csv", "--model", "exported", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["predict", *options])
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    predict.main()

    rows = read("scored.csv" if target == "scored.csv" else "scored/reviews.csv.csv")
    assert min(float(row["score"]) for row in rows) < 0.5
    assert {row["sentiment"] for row in rows} == {"positive"}
    assert "accuracy 0.5, " in capsys.readouterr().err


def test_rows_without_a_text_are_counted_and_set_aside(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.tables.reader.BATCH", 3)
    monkeypatch.setattr("sentiment.scoring.rows.MAX_CHARACTERS", 20)
    texts = ["good", None, 5, " \t", "bad", "x" * 21, ["good"]]
    Path("reviews.jsonl").write_text("\n".join(json.dumps({"text": text, "n": n}) for n, text in enumerate(texts)))
    command("reviews.jsonl", "-o", "scored.csv")

    aside = [json.loads(line) for line in Path("scored.csv.rejected.jsonl").read_text().splitlines()]
    assert [row["text"] for row in read("scored.csv")] == ["good", "bad"]
    assert {row["row"]: row["reason"] for row in aside} == {
        2: "the text is null",
        3: "text is 5, but must be text",
        4: "the text is empty",
        6: "the text has 21 characters, but a review has at most 20",
        7: "text is ['good'], but must be text",
    }
    assert [row["content"] for row in aside] == [{"text": texts[n], "n": n} for n in (1, 2, 3, 5, 6)]
    assert "2 of 7 rows scored\n5 rows set aside in scored.csv.rejected.jsonl\n" in capsys.readouterr().err


def test_a_row_set_aside_may_have_a_date_beyond_pythons_years(command: Command) -> None:
    days = pa.array([0, 2**30], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"text": ["good", None], "day": days}), "reviews.parquet")
    command("reviews.parquet", "-o", "scored.parquet")

    (aside,) = (json.loads(line) for line in Path("scored.parquet.rejected.jsonl").read_text().splitlines())
    assert aside["content"] == {"text": None, "day": str(2**30)}
    assert pq.read_table("scored.parquet").num_rows == 1


def test_stdin_and_stdout_carry_rows_and_nothing_else(
    exported: Path, tmp_path: Path, scores: list[float], toy_reviews: pa.Table
) -> None:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in toy_reviews["text"].to_pylist())
    done = subprocess.run(
        [*PREDICT, *["-", "--format", "jsonl.gz", "-o", "-", "--output-format", "jsonl", "--model"], exported],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input=gzip.compress(lines.encode()),
        capture_output=True,
        check=True,
    )

    assert [json.loads(line)["score"] for line in done.stdout.splitlines()] == scores
    assert b"64 of 64 rows scored" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == []


@pytest.mark.parametrize(
    ("column", "prefix", "added"),
    [
        ("sentiment", [], ["predicted_sentiment", "predicted_score"]),
        ("SCORE", [], ["predicted_sentiment", "predicted_score"]),
        ("predicted_score", [], ["sentiment", "score"]),
        ("n", ["--prefix", "my_"], ["my_sentiment", "my_score"]),
    ],
)
def test_the_added_columns_make_way_for_those_that_are_there(
    command: Command, capsys: pytest.CaptureFixture[str], column: str, prefix: list[str], added: list[str]
) -> None:
    write("reviews.csv", pa.table({"text": ["good", "bad"], column: ["1", "0"]}))
    command("reviews.csv", "-o", "scored.jsonl", *prefix)

    rows = read("scored.jsonl")
    assert [list(row) for row in rows] == [["text", column, *added]] * 2
    assert [row[column] for row in rows] == ["1", "0"]
    assert [row[added[0]] for row in rows] == ["positive", "negative"]
    renamed = f"has a column {column} already, so the added ones are {added[0]} and {added[1]}"
    assert (renamed in capsys.readouterr().err) == added[0].startswith("predicted")


def test_the_metrics_may_be_those_of_a_column_that_has_an_added_ones_name(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    write("reviews.csv", pa.table({"review": ["good", "bad"], "sentiment": ["positive", "negative"]}))
    command("reviews.csv", "-o", "scored.csv", "--text", "review", "--label", "sentiment")

    assert "accuracy 1.0," in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["cp1252.csv", "--encoding", "cp1252"],
        ["headerless.csv", "--columns", "text, label"],
        ["stars.csv", "--delimiter", "~"],
        ["folder"],
    ],
)
def test_what_a_file_does_not_say_is_said_by_an_option(
    command: Command, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    Path("cp1252.csv").write_text("text,label\nun café,1\ndéjà vu,0\n", encoding="cp1252")
    Path("headerless.csv").write_text("a café that I would go to,1\ndull,0\n")
    Path("stars.csv").write_text("text~label\nun café~1\ndull~0\n")
    for name in ("pos", "neg"):
        Path("folder", name).mkdir(parents=True)
        Path("folder", name, "1.txt").write_text("café")
    command(*arguments, "-o", "scored.csv")

    assert "2 of 2 rows scored" in capsys.readouterr().err
    assert "café" in {row["text"].split()[1 if " " in row["text"] else 0] for row in read("scored.csv")}
    assert not Path("scored.csv.rejected.jsonl").exists()


def test_a_file_in_another_encoding_is_refused_with_the_option_and_leaves_nothing(command: Command) -> None:
    Path("reviews.csv").write_text("text\nun café\ndéjà vu\n", encoding="cp1252")
    with pytest.raises(
        UserError, match=r"row 2 and others: not UTF-8; try --encoding cp1252, in which it has “un café”"
    ):
        command("reviews.csv", "-o", "scored.csv")
    assert [path.name for path in Path().iterdir()] == ["reviews.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv", "-o", "a.csv"], "none.csv is missing: give the path of a file that exists, or - for stdin"),
        (["reviews.csv", "-o", "a.txt"], "a.txt is of no known format: its name must end in .csv, .tsv, .jsonl,"),
        (
            ["reviews.csv", "-o", "out"],
            "out has no ending that tells a format: add one, or name a directory, as -o out/",
        ),
        (["reviews.csv", "-o", "-"], "- has no name to tell its format by: give --output-format"),
        (["-", "-o", "a.csv"], "- has no name to tell its format by: give --format"),
        (["reviews.csv", "-o", "a.csv", "--text", "body"], "no column body: choose one with --text: text, n, when"),
        (["reviews.csv", "-o", "a.csv", "--label", "l"], "no column l: choose one with --label: text, n, when"),
        (
            ["reviews.parquet", "-o", "a.csv", "--text", "n"],
            "column n is of type int64: choose one of texts",
        ),
        (["scored.csv", "-o", "a.csv", "--prefix", ""], "scored.csv has a column Score already: give another --prefix"),
        (["reviews.csv", "reviews.parquet", "-o", "-"], "several files can't go to stdout: name a directory with -o"),
        (["reviews.csv", "-", "-o", "out"], "- (stdin) is scored by itself, into a file"),
        (["*.csv", "-o", "scored.csv"], "scored.csv is a file, but several are to be written: name a directory"),
        (["reviews.csv", "scored.csv", "-o", "a.csv"], "several files are to be written, but a.csv names one"),
        (["*.tsv", "-o", "out"], "*.tsv matches no file: give files, a directory, or a pattern as 'reviews/*.csv'"),
        ([".", "-o", "."], "scored.csv is in the directory that -o names: name another one"),
        (
            ["reviews.csv", "-o", "a.csv", "--workers", "2"],
            "--workers score into a directory: name one with -o, as scored/",
        ),
        (
            ["reviews.csv", "-o", "./reviews.csv"],
            "./reviews.csv is the input itself, which would be lost: name another file with -o",
        ),
        (["reviews.csv", "-o", "out/", "--workers", "0"], "--workers is 0, but must be 1 or more"),
    ],
)
def test_a_mistake_is_named_and_leaves_nothing(command: Command, arguments: list[str], message: str) -> None:
    for name in ("reviews.csv", "reviews.parquet"):
        write(name, pa.table({"text": ["good"], "n": [1], "when": ["now"]}))
    write("scored.csv", pa.table({"text": ["good"], "Score": [1]}))
    before = sorted(Path().iterdir())

    with pytest.raises(UserError, match=re.escape(message)):
        command(*arguments)
    assert sorted(Path().iterdir()) == before


def test_a_missing_model_is_named_with_the_remedy(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write("reviews.csv", pa.table({"text": ["good"]}))
    monkeypatch.setattr(sys, "argv", ["predict", "reviews.csv", "-o", "a.csv"])
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    with pytest.raises(UserError, match=r"^models/exported is missing: dvc repro makes it$"):
        predict.main()


def test_files_may_be_named_by_uris(command: Command) -> None:
    folder = Path("my files")
    folder.mkdir()
    write(str(folder / "a.csv"), pa.table({"text": ["good"]}))
    uri = folder.absolute().as_uri()
    command(f"{uri}/a.csv", "-o", f"{uri}/b.csv")
    command(f"{uri}/a.csv", "-o", f"{uri}/out/")

    assert read("my files/b.csv")[0]["text"] == read("my files/out/a.csv.parquet")[0]["text"] == "good"


def test_there_are_as_many_threads_as_cores_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["predict", "reviews.csv", "-o", "a.csv"])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 6}, raising=False)

    assert predict.parse().threads == 3


@pytest.mark.parametrize(
    ("texts", "warned"),
    [
        (["the film was superb and its cast was great"] * 3, ""),
        (["das Buch war leider sehr langweilig", "ganz schlecht"], "their words take 5.25 tokens each, against 1.00"),
        (["这部电影非常好看", "good 👍"], "80% of their tokens are unknown, against 0.0%"),
    ],
)
def test_texts_in_another_language_than_the_trainings_are_warned_about_once(
    command: Command, capsys: pytest.CaptureFixture[str], texts: list[str], warned: str
) -> None:
    write("reviews.csv", pa.table({"text": texts}))
    command("reviews.csv", "-o", "scored.csv")

    said = capsys.readouterr().err
    warning = "warning: the texts are spelled unlike those that the model learnt from: "
    assert said.count(warning) == bool(warned)
    assert warned in said
