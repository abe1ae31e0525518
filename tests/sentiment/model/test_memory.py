"""Batches that memory is too small for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel

from sentiment.core.errors import UserError
from sentiment.model.memory import Portion, cut, is_shortage
from sentiment.model.prediction import predict
from sentiment.text.encoding import Padding
from tests.memory import room_for


@given(rows=st.integers(1, 70), most=st.integers(1, 80))
def test_portions_are_few_alike_and_all_of_the_batch_in_its_order(rows: int, most: int) -> None:
    batch = {"input_ids": torch.arange(2 * rows).reshape(rows, 2), "labels": torch.arange(rows)}
    found = list(cut(batch, most))
    sizes = [len(part["labels"]) for part in found]
    assert max(sizes) <= most
    assert len(sizes) <= -(-rows // most)
    for name, tensor in batch.items():
        assert torch.equal(torch.cat([part[name] for part in found]), tensor)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:89] data. DefaultCPUAllocator: not enough memory: you"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_a_shortage_of_memory_is_told_from_other_errors(error: RuntimeError, expected: bool) -> None:
    assert is_shortage(error) is expected


def test_the_largest_half_that_fits_is_found_once_and_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    portion, tried = Portion(50, "train.batch_size"), []

    def work(rows: int) -> int:
        tried.append(rows)
        if rows > 7:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return rows

    assert (portion(work), portion(work)) == (7, 7)
    assert tried == [50, 25, 13, 7, 7]
    assert capsys.readouterr().out == (
        "memory is too small for all reviews of train.batch_size at once: they go through it in smaller portions, and "
        "the result stays the same, last digits aside\n"
    )


def test_what_is_no_shortage_or_leaves_no_room_for_one_row_is_raised() -> None:
    def fail(error: Exception) -> Callable[[int], None]:
        def work(rows: int) -> None:
            raise error

        return work

    portion = Portion(8, "train.batch_size")
    with pytest.raises(RuntimeError, match="shapes"):
        portion(fail(RuntimeError("shapes")))
    assert portion.rows == 8
    with pytest.raises(
        UserError, match=r"^memory is too small for this model, however few reviews go through it at once: lower "
    ):
        portion(fail(torch.OutOfMemoryError("out of memory")))
    assert portion.rows == 1


def test_a_prediction_for_which_memory_is_too_small_gives_the_same_logits(
    build_with: Callable[..., PreTrainedModel], encoded: pa.Table, padding: Padding, capsys: pytest.CaptureFixture[str]
) -> None:
    model, sequences = build_with(), encoded["input_ids"].to_pylist()
    options: dict[str, Any] = {"batch_size": 32, "precision": "fp32"}
    expected = predict(model, sequences, padding, **options)
    assert capsys.readouterr().out == ""
    longest = max(map(len, sequences))
    with room_for(model, 7 * longest) as refused:
        found = predict(model, sequences, padding, **options)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert refused == [32, 16, 8]
    assert capsys.readouterr().out.count("memory is too small for all reviews of evaluate.batch_size at once") == 1
