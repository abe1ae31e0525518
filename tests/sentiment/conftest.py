"""A tiny model to train, and the parameters of a short training."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from sentiment.params import Params

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from tests.sentiment.bench import Bench


@pytest.fixture
def bench(tmp_path: Path, pretrained: Path, tokenizer: "PreTrainedTokenizerFast", encoded: pa.Table) -> "Bench":
    # torch and transformers take seconds to import, which most tests need not wait for.
    from tests.sentiment.bench import Bench

    return Bench(tmp_path, pretrained, tokenizer, encoded)


@pytest.fixture
def tiny(params_with: Callable[..., Params]) -> Callable[..., Params]:
    from tests.sentiment.bench import TINY

    return lambda **train: params_with(seed=3, precision="fp32", train=TINY | train)
