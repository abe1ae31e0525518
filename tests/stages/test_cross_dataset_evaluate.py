"""Cross-evaluation: what is scored, what is left out, and what is refused."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from stages import cross_dataset_baseline, cross_dataset_evaluate

ROOT = Path(__file__).resolve().parents[2]


def write(path: str, texts: list[str]) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    labels = pd.array([n % 2 for n in range(len(texts))], "int8")
    table = pd.DataFrame({"id": [f"{n:016}" for n in range(len(texts))], "text": texts, "label": labels})
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path)


def reviews(count: int) -> list[str]:
    """Reviews that have no pair of words in common."""
    return [
        " ".join(f"{word}{number}" for word in ("this", "film", "was", "so", "very", "good")) for number in range(count)
    ]


@pytest.fixture
def folder(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder of the stage: params.yaml, a trained model, 40 reviews and others to train on."""
    shutil.copytree(trained, tmp_path / "models/sentiment")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["cross_datasets"] = ["others"]
    yaml.dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    write("data/cross/others.parquet", reviews(40))
    write("data/subsampled/train.parquet", ["nothing of the kind", "and nothing else"])
    return tmp_path


def evaluated() -> dict[str, float]:
    cross_dataset_evaluate.main()
    return json.loads(Path("metrics/cross/others.json").read_text(encoding="utf-8"))


def test_all_reviews_are_scored_where_none_leaks(folder: Path) -> None:
    metrics = evaluated()

    assert (metrics["n"], metrics["positives"]) == (40, 20)
    assert {metrics[f"leaked_{kind}"] for kind in ("exact", "contained", "near")} == {0}


def test_reviews_that_are_spelled_unlike_the_trainings_are_warned_about(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated()
    assert (
        "warning: the reviews of others are spelled unlike those that the model learnt from" in capsys.readouterr().out
    )

    write("data/cross/others.parquet", ["the film was good", "its plot was very dull", "a great cast", "a boring book"])
    evaluated()
    assert "warning" not in capsys.readouterr().out


def test_reviews_that_leak_from_training_are_counted_and_not_scored(folder: Path) -> None:
    own = reviews(40)
    changed = own[3].replace("this3", "that3")
    write("data/subsampled/train.parquet", [own[0].title(), f"{own[1]}!", f"I say: {own[2]}, I do.", changed, "other"])
    metrics = evaluated()
    scored = pq.read_table("data/predictions/cross/others.parquet")

    assert {name: value for name, value in metrics.items() if name.startswith("leaked")} == {
        "leaked_exact": 2,
        "leaked_contained": 1,
        "leaked_near": 1,
    }
    assert metrics["n"] == scored.num_rows == 36
    assert sum(point["count"] for point in json.loads(Path("plots/cross/confusion.json").read_text())) == 36


def test_every_row_read_is_scored_or_counted(folder: Path) -> None:
    own = reviews(150)
    write("data/cross/others.parquet", [*own, "", "Odd", "odd", own[1], own[0]])
    write("data/subsampled/train.parquet", [*own[:10], "other"])
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["cross_dataset_evaluate"]["size"] = 100
    yaml.dump(params, Path("params.yaml"))
    metrics = evaluated()

    left_out = ("empty", "contradictory", "duplicate", "not_drawn", "leaked_exact", "leaked_contained", "leaked_near")
    assert metrics["read"] == 155 == metrics["n"] + sum(metrics[name] for name in left_out)
    assert [metrics[name] for name in left_out[:4]] == [1, 2, 2, 50]
    assert 0 < metrics["leaked_exact"] <= 10


def test_the_baseline_is_scored_on_the_same_reviews(folder: Path) -> None:
    own = reviews(40)
    train = [own[0], f"I say: {own[1]}", *(f"a {word} thing" for word in ("dull", "fine", "poor", "good"))]
    write("data/subsampled/train.parquet", train)
    metrics = evaluated()
    write_json("metrics/baseline.json", {"rival": "TF-IDF", "C": 10})
    cross_dataset_baseline.main()
    baseline = json.loads(Path("metrics/cross_baseline/others.json").read_text(encoding="utf-8"))

    scored = [pq.read_table(f"data/predictions/{folder}/others.parquet") for folder in ("cross", "cross_baseline")]

    assert metrics.keys() == baseline.keys()
    assert scored[0].select(["id", "label"]) == scored[1].select(["id", "label"])
    same = {"n", "positives", "read", *(name for name in metrics if name.startswith("leaked"))}
    assert {name: metrics[name] for name in same} == {name: baseline[name] for name in same}
    assert (metrics["n"], metrics["leaked_exact"], metrics["leaked_contained"]) == (38, 1, 1)


def test_a_dataset_that_was_trained_on_is_refused_and_leaves_nothing(folder: Path) -> None:
    write("data/subsampled/train.parquet", reviews(40))

    with pytest.raises(UserError) as caught:
        cross_dataset_evaluate.main()
    assert str(caught.value) == (
        "data/cross/others.parquet without what leaks from data/subsampled/train.parquet "
        "needs at least 2 negative reviews, but has 0: choose another dataset"
    )
    assert not (folder / "metrics").exists()
