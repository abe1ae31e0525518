"""What the mean-pooled classifier reads of long texts, and what its file needs."""

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from hypothesis import given
from hypothesis import strategies as st

from sentiment.model import architecture
from sentiment.model.architecture import head_and_tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

    from sentiment.text.encoding import Padding

ROWS = st.lists(st.integers(min_value=1, max_value=12), min_size=1, max_size=4)


@given(lengths=ROWS, most=st.integers(1, 8), share=st.integers(0, 8), left=st.booleans())
def test_a_long_row_keeps_its_head_and_its_tail_and_a_short_one_all(
    lengths: list[int], most: int, share: int, left: bool
) -> None:
    width, head = max([*lengths, most]), min(share, most)
    ids, mask = torch.zeros(len(lengths), width, dtype=torch.int64), torch.zeros(len(lengths), width, dtype=torch.int64)
    for row, length in enumerate(lengths):
        place = slice(width - length, width) if left else slice(0, length)
        ids[row, place], mask[row, place] = torch.arange(1, length + 1), 1
    kept, marks = head_and_tail(ids, mask, most, head)

    for row, length in enumerate(lengths):
        whole = list(range(1, length + 1))
        expected = whole if length <= most else whole[:head] + whole[length - most + head :]
        assert kept[row][marks[row].bool()].tolist() == expected


def test_a_text_that_fits_is_read_as_it_is(build_with: "Callable[..., PreTrainedModel]", padding: "Padding") -> None:
    model = build_with(pooling="mean").eval()
    short, long = padding([{"input_ids": [2, 5, 6, 3]}]), padding([{"input_ids": [2, 5, 7, 7, 7, 6, 3]}])
    before = model(**short).logits
    model.config.max_tokens, model.config.head_tokens = 4, 2

    assert torch.equal(model(**short).logits, before)
    assert torch.equal(model(**long).logits, before)


def test_the_file_that_travels_with_the_weights_needs_nothing_of_the_project() -> None:
    source = Path(architecture.__file__).read_text(encoding="utf-8")
    names = [
        name
        for node in ast.walk(ast.parse(source))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
        + ([node.module or "."] if isinstance(node, ast.ImportFrom) else [])
    ]

    assert {name.partition(".")[0] for name in names} <= {"torch", "transformers", "typing"}
