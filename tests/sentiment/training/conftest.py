"""A tiny model to train, and the parameters of a short training."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sentiment.core.params import Params
from tests.sentiment.training.bench import TINY, Bench

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@pytest.fixture
def bench(tmp_path: Path, pretrained: Path, tokenizer: "PreTrainedTokenizerFast", encoded: pa.Table) -> Bench:
    return Bench(tmp_path, pretrained, tokenizer, encoded)


@pytest.fixture
def tiny(params_with: Callable[..., Params]) -> Callable[..., Params]:
    return lambda **train: params_with(seed=3, precision="fp32", train=TINY | train)
