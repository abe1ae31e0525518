"""A tiny model to train, the parameters of a short training, and a model of each family."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import torch

from sentiment.encoding import load_tokenizer
from sentiment.params import Params

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

from tests.families import FAMILIES
from tests.sentiment.bench import TINY, Bench
from tests.sentiment.members import Member, member_id


@pytest.fixture
def bench(tmp_path: Path, pretrained: Path, tokenizer: "PreTrainedTokenizerFast", encoded: pa.Table) -> Bench:
    return Bench(tmp_path, pretrained, tokenizer, encoded)


@pytest.fixture
def tiny(params_with: Callable[..., Params]) -> Callable[..., Params]:
    return lambda **train: params_with(seed=3, train=TINY | train)


@pytest.fixture(scope="module", params=[(family, real) for family in FAMILIES for real in (False, True)], ids=member_id)
def member(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, params_with: Callable[..., Params]
) -> Member:
    family, real = request.param
    folder = tmp_path_factory.mktemp("families") / family.model_type
    family.write(folder, real=real)
    torch.set_num_threads(1)
    return Member(family, real, folder, load_tokenizer(folder), params_with)


@pytest.fixture(scope="module")
def sequences(member: Member, toy_reviews: pa.Table) -> list[list[int]]:
    return member.encode(toy_reviews["text"].to_pylist())
