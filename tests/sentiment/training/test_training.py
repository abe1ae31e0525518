import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainerControl, TrainerState, TrainingArguments

from sentiment.training.batches import BUCKET_BATCHES, LengthBucketSampler
from sentiment.training.callbacks import Validations


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=300),
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 5),
)
def test_an_epoch_is_a_permutation_whose_last_batch_alone_may_be_smaller(
    lengths: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    sampler = LengthBucketSampler(lengths, batch_size, seed)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert sorted(order) == list(range(len(lengths))) == list(range(len(sampler)))
    sizes = [len(batch) for batch in sampler.batches(epoch)]
    assert set(sizes[:-1]) <= {batch_size}
    assert 1 <= sizes[-1] <= batch_size
    assert order == list(sampler)
    assert np.concatenate(sampler.batches(epoch)).tolist() == order


def test_seed_and_epoch_alone_fix_the_order() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 200)
    orders = {}
    for seed in (1, 2):
        for epoch in (0, 1):
            sampler = LengthBucketSampler(lengths, 8, seed)
            sampler.set_epoch(epoch)
            orders[seed, epoch] = tuple(sampler)
            assert tuple(np.concatenate(LengthBucketSampler(lengths, 8, seed).batches(epoch))) == orders[seed, epoch]
    assert len(set(orders.values())) == 4


def test_batches_hold_reviews_of_like_length_and_their_cost_is_what_padding_makes_it() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 8 * BUCKET_BATCHES * 2 + 3)
    sampler = LengthBucketSampler(lengths, 8, 1)
    costs = sampler.padded_tokens(2)
    batches = sampler.batches(0) + sampler.batches(1)
    assert costs.tolist() == [max(lengths[rows]) * len(rows) for rows in batches]
    assert costs.sum() < 2 * lengths.sum() * 1.15


@pytest.mark.parametrize(
    ("steps", "per_epoch", "expected"), [(8, 2, [4, 8, 12, 16]), (5, 2, [3, 5, 8, 10]), (2, 5, [1, 2, 3, 4])]
)
def test_validations_are_spread_over_each_epoch_and_end_it(steps: int, per_epoch: int, expected: list[int]) -> None:
    callback, seen = Validations(steps, per_epoch), []
    for step in range(1, 2 * steps + 1):
        control = TrainerControl()
        callback.on_step_end(TrainingArguments("unused"), TrainerState(global_step=step), control)
        assert control.should_evaluate == control.should_save
        seen += [step] if control.should_save else []
    assert seen == expected
