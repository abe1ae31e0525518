"""How far the model is ahead of the rival: on the same reviews, in pairs."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from sentiment.core.errors import UserError
from sentiment.core.parquet import write_parquet
from stages import compare_baseline

ROOT = Path(__file__).resolve().parents[2]


def write(name: str, right: list[bool]) -> None:
    """Write predictions of positive reviews, of which these are right."""
    ids = [str(row) for row in range(len(right))]
    table = pa.table({"id": ids, "label": [1] * len(right), "score": [0.9 if hit else 0.1 for hit in right]})
    write_parquet(f"data/predictions/{name}.parquet", table)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    first, rest = text.split("cross_datasets:\n", 1)
    after = rest[rest.index("\n\n") :]
    (tmp_path / "params.yaml").write_text(f"{first}cross_datasets: [books]{after}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    write("test", [True] * 90 + [False] * 10)
    write("baseline", [True] * 70 + [False] * 30)
    write("cross/books", [True, False] * 10)
    write("cross_baseline/books", [False, True] * 10)


def test_the_lead_is_the_models_accuracy_less_the_rivals_with_its_paired_interval() -> None:
    compare_baseline.main()
    found = json.loads(Path("metrics/compare_baseline.json").read_text(encoding="utf-8"))

    assert found.keys() == {"test", "books"}
    assert found["test"]["difference"] == pytest.approx(0.2)
    assert 0.1 < found["test"]["difference_low"] < 0.2 < found["test"]["difference_high"] < 0.3
    assert found["test"]["mcnemar_p"] < 0.001
    assert (found["books"]["difference"], found["books"]["mcnemar_p"], found["books"]["n"]) == (0, 1, 20)


def test_other_reviews_are_refused_and_nothing_is_written() -> None:
    write("cross_baseline/books", [True] * 21)

    with pytest.raises(UserError, match=r"^books: A and B were not scored on the same reviews: 1 are only in A"):
        compare_baseline.main()
    assert not Path("metrics").exists()
