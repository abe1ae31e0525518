"""Tables of more tokens than 32-bit offsets count: 2³¹ and more, made of one chunk that occurs many times."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sentiment.training.batches import LengthBucketSampler
from sentiment.training.fine_tune import as_dataset, shortest_first

ROWS, TOKENS, CHUNKS = 32, 1 << 18, 300


@pytest.fixture(scope="module")
def huge() -> pa.Table:
    offsets = np.linspace(0, ROWS * TOKENS, ROWS + 1).astype(np.int32)
    offsets[1] -= 100  # the first row of each chunk is the shortest, the second the longest
    ids = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.arange(ROWS * TOKENS, dtype=np.int32)))
    labels = pa.chunked_array([pa.array(np.arange(ROWS) % 2, pa.int8())] * CHUNKS)
    table = pa.table({"input_ids": pa.chunked_array([ids] * CHUNKS), "label": labels})
    assert pc.sum(pc.list_value_length(table["input_ids"])).as_py() > 2**31
    return table


def test_the_lengths_of_all_rows_are_read(huge: pa.Table) -> None:
    lengths = pc.list_value_length(huge["input_ids"]).to_numpy()
    sampler = LengthBucketSampler(lengths, batch_size=32, seed=0)

    assert len(sampler) == ROWS * CHUNKS
    assert sampler.padded_tokens(1).sum() > 2**31


def test_any_row_can_be_taken(huge: pa.Table) -> None:
    first, last = as_dataset(huge)[[1, ROWS * CHUNKS - 1]]["input_ids"]

    assert first[0] == TOKENS - 100
    assert last[-1] == ROWS * TOKENS - 1


def test_they_can_be_sorted_by_length(huge: pa.Table) -> None:
    ordered = shortest_first(huge)

    assert len(ordered[0]["input_ids"]) == len(ordered[CHUNKS - 1]["input_ids"]) == TOKENS - 100
    assert len(ordered[CHUNKS]["input_ids"]) == TOKENS
    assert len(ordered[ROWS * CHUNKS - 1]["input_ids"]) == TOKENS + 100
    assert ordered[0]["labels"] == 0
