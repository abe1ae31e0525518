"""The folder in which train, evaluate and behaviour run in these tests, as DVC would run them."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentiment.core.files import write_json
from sentiment.core.params import PREPROCESSING, Preprocessing, load_params
from tests.conftest import ROOT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SMALL = {
    "  lr: 1.5e-4": "  lr: 5e-3",
    "  batch_size: 32": "  batch_size: 8",
    "  max_length: 192": "  max_length: 8",
    "precision: auto": "precision: fp32",
    "threads: 2": "threads: 1",
}


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_reviews: pa.Table, tokenizer: "PreTrainedTokenizerFast"
) -> Path:
    """Return a folder in which the toy reviews are all three splits, cut to 8 tokens, and no model is yet."""
    from sentiment.text.encoding import Encoder

    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "sentiment/evaluation").mkdir(parents=True)
    shutil.copy(ROOT / "sentiment/evaluation/behaviour.yaml", tmp_path / "sentiment/evaluation")
    monkeypatch.chdir(tmp_path)

    encoded = list(Encoder(tokenizer, load_params().tokenize)(toy_reviews["text"].to_pylist()))
    ids = pa.array([f"{number:02}" for number in range(toy_reviews.num_rows)])
    reviews = pa.table({"id": ids, "text": toy_reviews["text"], "label": toy_reviews["label"]})
    tokenized = reviews.drop_columns("text")
    tokenized = tokenized.append_column("input_ids", pa.array([r.input_ids for r in encoded], pa.list_(pa.int32())))
    tokenized = tokenized.append_column("tokens", pa.array([r.tokens for r in encoded], pa.int32()))
    for place, table in (("subsampled", reviews), ("tokenized", tokenized)):
        (tmp_path / "data" / place).mkdir(parents=True)
        for split in ("train", "validation", "test"):
            pq.write_table(table, tmp_path / "data" / place / f"{split}.parquet")
    pq.write_table(tokenized, tmp_path / "data/tokenized/validation_sentences.parquet")
    preprocessing = Preprocessing(cleaning=load_params().subsample.cleaning, emoji={}, tokenize=load_params().tokenize)
    write_json(tmp_path / "data/tokenized" / PREPROCESSING, preprocessing.model_dump())
    return tmp_path


@pytest.fixture
def model(folder: Path, trained: Path) -> Path:
    """Put a trained model, which reads 8 tokens, where the stages look for it."""
    shutil.copytree(trained, folder / "models/sentiment")
    preprocessing = read("models/sentiment/preprocessing.json")
    write_json("metrics/train.json", {"temperature": 1.5})
    write_json("models/sentiment/preprocessing.json", preprocessing | {"tokenize": load_params().tokenize.model_dump()})
    return folder / "models/sentiment"


def read(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))
