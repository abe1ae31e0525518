import json
import re
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.metrics import evaluate
from sentiment.scoring.label_metrics import together
from tests.sentiment.scoring.files import Command, read, write


@pytest.mark.parametrize(
    "names", [("0", "1"), ("negative", "positive"), ("Negative", "POSITIVE "), ("0.0", "1.0"), ("False", "True")]
)
def test_labels_bring_the_metrics(
    command: Command,
    toy_reviews: pa.Table,
    scores: list[float],
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, str],
) -> None:
    labels = [names[label] for label in toy_reviews["label"].to_pylist()]
    write("reviews.csv", pa.table({"text": [*toy_reviews["text"].to_pylist(), "good"], "truth": [*labels, " "]}))
    command("reviews.csv", "-o", "scored.csv", "--label", "truth")

    accuracy = np.mean((np.array(scores) >= 0.5) == toy_reviews["label"].to_numpy())
    printed = capsys.readouterr().err
    assert f"accuracy {round(float(accuracy), 3)}," in printed
    assert "n 64," in printed


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["0", "1", "2", "3", "4"], "0, 1, 2, 3, 4"),
        (["1", "2", "3", "4", "5"], "1, 2, 3, 4, 5"),
        (["fair", "grim", "fair", "grim", "fair"], "fair, grim"),
        (["0", "1", "1", "0", "both"], "0, 1, both"),
    ],
)
@pytest.mark.parametrize("option", [[], ["--label", "label"]])
def test_labels_of_unknown_meaning_bring_a_sentence_and_never_an_accuracy(
    command: Command, capsys: pytest.CaptureFixture[str], values: list[str], named: str, option: list[str]
) -> None:
    write("reviews.csv", pa.table({"text": ["good", "bad", "fine", "dull", "great"], "label": values}))
    command("reviews.csv", "-o", "scored.csv", *option)

    said = capsys.readouterr().err
    assert "accuracy" not in said
    if option or not {"0", "1"}.isdisjoint(values):
        assert (
            f"no metrics: column label of reviews.csv has {named}, and nothing says which of these are positive; for "
            "metrics, give each row 1 or positive, 0 or negative, or nothing"
        ) in said


@pytest.mark.parametrize(("names", "accuracy"), [(["neg", "pos"], "accuracy 1.0,"), (["pos", "neg"], "accuracy 0.0,")])
def test_the_names_that_a_parquet_file_gives_its_labels_are_their_meaning(
    command: Command, capsys: pytest.CaptureFixture[str], names: list[str], accuracy: str
) -> None:
    declared = json.dumps({"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}})
    table = pa.table({"text": ["good", "bad"], "label": [1, 0]}).replace_schema_metadata({"huggingface": declared})
    pq.write_table(table, "reviews.parquet")
    command("reviews.parquet", "-o", "scored.parquet")

    assert accuracy in capsys.readouterr().err


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_labels_are_asked_of_scored_files_without_scoring_them_again_and_of_all_together(
    command: Command, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    write("a.csv", pa.table({"text": ["good", "bad"], "truth": ["1", "0"]}))
    write("b.csv", pa.table({"text": ["good", "bad", "dull", "great"], "truth": ["0", "1", "0", "1"]}))
    arguments = ["a.csv", "b.csv", "-o", "out/", "--output-format", form]
    command(*arguments)
    assert "accuracy" not in capsys.readouterr().err

    for _ in range(2):
        command(*arguments, "--label", "truth")
        said = capsys.readouterr().err
        assert "\n0 rows in this run" in said
        assert "a.csv: accuracy 1.0," in said
        assert "b.csv: accuracy 0.5," in said
        assert re.search(r"2 files with metrics together: accuracy 0\.667, .* n 6, positives 3\n", said)
    command(*arguments, "--label", "score")
    assert "no metrics: a.csv has no column score: choose one with --label: text, truth\n" in capsys.readouterr().err


def test_metrics_over_several_files_are_those_of_all_their_rows() -> None:
    labels, scores = [0, 1, 1, 0, 1, 0], [0.1, 0.8, 0.3, 0.6, 0.9, 0.2]
    whole = evaluate(labels, scores)
    parts = together([evaluate(labels[:2], scores[:2]), evaluate(labels[2:], scores[2:])])

    assert parts == pytest.approx({name: whole[name] for name in parts})


def test_names_of_labels_that_say_nothing_bring_no_metrics(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    declared = json.dumps({"info": {"features": {"label": {"names": ["up", "down"]}}}})
    table = pa.table({"text": ["good", "bad"], "label": [1, 0]}).replace_schema_metadata({"huggingface": declared})
    pq.write_table(table, "reviews.parquet")
    command("reviews.parquet", "-o", "scored.parquet", "--label", "label")

    said = capsys.readouterr().err
    assert "no metrics: the file names its labels, and the names do not say which is positive" in said
    assert "accuracy" not in said


@pytest.mark.parametrize(
    ("values", "printed"), [([1, 0], True), (["red", "blue"], False), ([["1"], ["0"]], False), ([None, None], False)]
)
def test_a_column_label_brings_the_metrics_unasked_where_it_holds_labels(
    command: Command, capsys: pytest.CaptureFixture[str], values: list[Any], printed: bool
) -> None:
    write("reviews.parquet", pa.table({"text": ["good", "bad"], "label": values}))
    command("reviews.parquet", "-o", "scored.parquet")

    said = capsys.readouterr().err
    assert ("accuracy " in said, "metrics" in said) == (printed, False)


def test_where_only_the_packages_of_serving_are_the_file_is_scored_and_the_metrics_ask_for_theirs(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    write("reviews.csv", pa.table({"text": ["good", "bad"], "label": ["1", "0"]}))
    command("reviews.csv", "-o", "scored.csv")

    assert "no metrics: they need sklearn.metrics" in capsys.readouterr().err
    assert len(read("scored.csv")) == 2


def test_labels_of_one_kind_bring_no_metrics(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    write("reviews.csv", pa.table({"text": ["good", "great"], "label": ["1", "1"]}))
    command("reviews.csv", "-o", "scored.csv", "--label", "label")

    assert (
        "no metrics: they need both labels, negative and positive, but the 2 labelled rows lack one"
        in capsys.readouterr().err
    )
