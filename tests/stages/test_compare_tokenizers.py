"""compare_tokenizers on toy reviews and a tiny model, as DVC runs it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.errors import UserError
from sentiment.tokenizer_study.trained_tokenizers import ALGORITHMS
from stages import compare_tokenizers

ROOT = Path(__file__).resolve().parents[2]
METRICS, PLOT = Path("metrics/tokenizers.json"), Path("plots/tokenizers.json")


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_reviews: pa.Table, trained: Path, pretrained: Path
) -> Path:
    """Return a folder in which the toy reviews are both splits, and the model that tells them apart is there."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for old, new in {
        "max_length: 192": "max_length: 64",
        "threads: 2": "threads: 1",
        "precision: auto": "precision: fp32",
    }.items():
        text = text.replace(old, new)
    place = tmp_path / "project"
    shutil.copytree(trained, place / "models/sentiment")
    shutil.copytree(pretrained, place / "models/pretrained")
    (place / "params.yaml").write_text(text, encoding="utf-8")
    ids = pa.array([f"{number:02}" for number in range(toy_reviews.num_rows)])
    (place / "data/subsampled").mkdir(parents=True)
    for split in ("train", "validation"):
        pq.write_table(toy_reviews.append_column("id", ids), place / f"data/subsampled/{split}.parquet")
    monkeypatch.chdir(place)
    return place


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_tokenizer_is_told_of_and_words_beat_letters_on_reviews_that_a_word_decides(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare_tokenizers.main()

    found = read(METRICS)["tokenizers"]
    assert set(found) == {"tiny", *ALGORITHMS}
    assert [point["tokenizer"] for point in read(PLOT)] == ["tiny", *ALGORITHMS]
    assert found["words"]["accuracy"] == found["tiny"]["accuracy"] == 1
    assert found["tiny"]["difference"] == 0
    assert found["bytes"]["fertility"] > 3 * found["words"]["fertility"]
    assert "tiny: 77 entries" in capsys.readouterr().out


def test_the_fine_tuned_model_is_lost_with_the_ids_of_another_numbering(folder: Path) -> None:
    compare_tokenizers.main()

    found = read(METRICS)["fine_tuned"]
    assert found["own"]["accuracy_low"] > 0.5
    assert found["wrong"]["accuracy_low"] < 0.5 < found["wrong"]["accuracy_high"]


@pytest.mark.slow
def test_the_same_inputs_give_the_same_bytes(folder: Path) -> None:
    runs = []
    for _ in range(2):
        compare_tokenizers.main()
        saved = {path.name: path.read_bytes() for path in Path("models/tokenizers").iterdir()}
        runs.append((METRICS.read_bytes(), PLOT.read_bytes(), saved))

    assert runs[0] == runs[1]
    assert set(runs[0][2]) == {"tiny.json", *(f"{name}.json" for name in ALGORITHMS)}


def test_a_tokenizer_of_the_users_own_is_compared_too(folder: Path) -> None:
    shutil.copytree("models/pretrained", "own/twin")
    set_parameter("pretrained: []", "pretrained: [twin]")
    compare_tokenizers.main()

    found = read(METRICS)["tokenizers"]
    assert found["own/twin"] == found["tiny"]


def test_a_tokenizer_that_is_not_there_is_refused_and_nothing_written(folder: Path) -> None:
    set_parameter("pretrained: []", "pretrained: [lost]")

    with pytest.raises(UserError, match="put the tokenizer's files into own/lost"):
        compare_tokenizers.main()
    assert not METRICS.exists()
    assert not PLOT.exists()


def test_of_many_reviews_a_part_is_compared_with_as_many_of_each_label(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_tokenizers, "MOST", 20)
    drawn = compare_tokenizers.read("train")

    assert len(drawn) == 20
    assert drawn.label.sum() == 10


def set_parameter(old: str, new: str) -> None:
    text = Path("params.yaml").read_text(encoding="utf-8")
    assert old in text
    Path("params.yaml").write_text(text.replace(old, new), encoding="utf-8")
