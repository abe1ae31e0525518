from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainerControl, TrainerState, TrainingArguments

from sentiment.core.errors import UserError
from sentiment.training import callbacks
from sentiment.training.batches import BUCKET_BATCHES, LengthBucketSampler
from sentiment.training.callbacks import TimeLimit, Validations


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


def clock(limit: TimeLimit, monkeypatch: pytest.MonkeyPatch, times: dict[int, tuple[float, float]]) -> None:
    """Let steps begin and end at these seconds of the training."""
    now = 1000.0
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=lambda: now))
    state = TrainerState(max_steps=100)
    arguments = (TrainingArguments("unused"), state, TrainerControl())
    limit.on_train_begin(*arguments)
    for step, (begin, end) in times.items():
        now, state.global_step = 1000 + begin, step - 1
        limit.on_step_begin(*arguments)
        now, state.global_step = 1000 + end, step
        limit.on_step_end(*arguments)


def test_a_training_that_will_not_fit_stops_early_with_the_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first of 100 equal steps takes 50 s, the others 10 s each: 50 + 99 * 10 s = 17.3 min.
    times = {1: (0.0, 50.0)} | {step: (10.0 * step + 30, 10.0 * step + 40) for step in range(2, 11)}
    clock(TimeLimit(17.4, np.full(100, 64)), monkeypatch, times)
    with pytest.raises(UserError) as caught:
        clock(TimeLimit(17.2, np.full(100, 64)), monkeypatch, times)
    assert str(caught.value) == (
        "training would take about 17 min, but train.max_minutes is 17.2: lower subsample.train_size, "
        "tokenize.max_length or train.epochs, raise the limit, or let train.fit_budget shorten the training"
    )


def test_each_of_several_runs_has_its_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # 17.3 min, as above.
    times = {1: (0.0, 50.0)} | {step: (10.0 * step + 30, 10.0 * step + 40) for step in range(2, 11)}
    clock(TimeLimit(34.8, np.full(100, 64), runs=2), monkeypatch, times)
    assert "training takes about 2 times 17.3 min at 6 tokens/s" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"would take about 35 min, but train.max_minutes is 34.4: lower train.runs, "):
        clock(TimeLimit(34.4, np.full(100, 64), runs=2), monkeypatch, times)
    with pytest.raises(UserError, match=r"^train.max_minutes of 3, shared by 2 runs, are over at step 3 of 100: "):
        clock(TimeLimit(3, np.full(100, 64), runs=2), monkeypatch, {1: (0, 1), 2: (1, 90), 3: (90, 90.1)})


def test_the_prediction_goes_by_tokens_and_counts_from_where_a_run_continues(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    costs = np.array([1000] * 50 + [10] * 25 + [40] * 25)
    # Continued after step 60: 10 steps of 10 tokens take 10 s, and 5 * 10 + 25 * 40 tokens are left.
    clock(TimeLimit(60, costs), monkeypatch, {step: (step - 61.0, step - 60.0) for step in range(61, 71)})
    assert "training takes about 1.9 min at 10 tokens/s" in capsys.readouterr().out


def test_a_training_whose_time_is_over_stops_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError) as caught:
        clock(TimeLimit(1.5, np.full(100, 64)), monkeypatch, {1: (0, 1), 2: (1, 90), 3: (90, 90.1)})
    assert str(caught.value) == (
        "train.max_minutes of 1.5 are over at step 3 of 100: "
        "with a higher limit the same command continues from the newest checkpoint, if there was one already"
    )
