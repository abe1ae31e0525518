"""The same bits on unlike processors, which the libraries' own variables emulate on one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from sentiment.core.files import sha256, write_json
from sentiment.core.params import PREPROCESSING, Preprocessing, load_params
from sentiment.core.parquet import write_parquet
from sentiment.model.reproducible import ENVIRONMENT, is_portable

ROOT = Path(__file__).parents[3]
OLD_PROCESSOR = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "SSE4_2",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA",
}
"""Variables that make the libraries take this processor for one of 2010."""


@pytest.fixture
def train(tmp_path: Path, pretrained: Path, encoded: pa.Table) -> Callable[..., dict[str, Any]]:
    """Run the train stage on the toy reviews; return its provenance and its model's hash."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/pretrained").symlink_to(pretrained)
    table = encoded.append_column("id", pa.array([str(row) for row in range(len(encoded))]))
    for split in ("train", "validation", "validation_sentences"):
        write_parquet(tmp_path / f"data/tokenized/{split}.parquet", table)
    params = load_params(ROOT / "params.yaml")
    cut = params.tokenize.model_copy(update={"max_length": 64})
    preprocessing = Preprocessing(cleaning=params.subsample.cleaning, emoji={}, tokenize=cut)
    write_json(tmp_path / "data/tokenized" / PREPROCESSING, preprocessing.model_dump())

    def run(environment: dict[str, str], precision: str) -> dict[str, Any]:
        yaml = YAML()
        params = yaml.load(ROOT / "params.yaml")
        params |= {"precision": precision, "threads": 1}
        params["train"] |= {"epochs": 1, "dropout": 0.1, "freeze": "none"}
        yaml.dump(params, tmp_path / "params.yaml")
        inherited = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
        done = subprocess.run(
            [sys.executable, "-m", "stages.train"],
            cwd=tmp_path,
            env=inherited | environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        model = tmp_path / "models/sentiment"
        found = json.loads((model / "provenance.json").read_text(encoding="utf-8"))["environment"]
        return found | {
            "weights": sha256(model / "model.safetensors"),
            "metrics": sha256(tmp_path / "metrics/train.json"),
        }

    return run


@pytest.mark.slow
def test_portable_bits_are_the_same_on_unlike_processors_and_others_say_on_which_they_were_made(
    train: Callable[..., dict[str, Any]],
) -> None:
    here = train({}, "portable")
    assert train(OLD_PROCESSOR, "portable") == here
    assert (here["portable"], here["cpu_capability"], here["precision"], here["device"]) == (
        True,
        "AVX2",
        "fp32",
        "cpu",
    )

    other = train(OLD_PROCESSOR, "auto")
    assert (other["portable"], other["cpu_capability"]) == (False, "DEFAULT")
    assert other["weights"] != here["weights"]


WITHOUT_EXEC = """
import os, sys
from types import SimpleNamespace
from sentiment.core.params import load_params
from sentiment.model import reproducible
if not reproducible.is_portable():
    print("first", flush=True)
    reproducible.os = SimpleNamespace(name="nt", environ=os.environ)
reproducible.fix_bits(load_params().model_copy(update={"precision": "portable"}))
print("second")
sys.exit(7)
"""


def test_where_a_process_cannot_become_another_it_ends_when_and_as_the_other_does() -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXEC], cwd=ROOT, env=inherited, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("first\nsecond\n", 7)


def test_a_process_is_portable_only_where_every_library_was_told_so() -> None:
    assert is_portable(ENVIRONMENT | {"HOME": "/"})
    for name in ENVIRONMENT:
        assert not is_portable(ENVIRONMENT | {name: "other"})
