from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn.functional import cross_entropy

from sentiment.core.params import Params
from sentiment.model.prediction import predict
from sentiment.training.class_weights import WeightedLoss
from tests.sentiment.training.bench import Bench

RARE = np.array([0] * 15 + [1] * 5)
LOGITS = torch.tensor(np.random.default_rng(0).normal(size=(20, 2)), dtype=torch.float32)
LABELS = torch.from_numpy(RARE)


def loss_of(loss: WeightedLoss, rows: slice) -> torch.Tensor:
    return loss(SimpleNamespace(logits=LOGITS[rows]), LABELS[rows], num_items_in_batch=99)


def test_weights_are_inverse_to_the_frequencies_and_one_on_average() -> None:
    weights = WeightedLoss(RARE).weights
    assert weights.tolist() == pytest.approx([20 / 30, 20 / 10])
    assert weights[LABELS].mean().item() == pytest.approx(1)


def test_over_all_reviews_both_classes_weigh_the_same() -> None:
    losses = cross_entropy(LOGITS, LABELS, reduction="none")
    expected = (losses[LABELS == 0].mean() + losses[LABELS == 1].mean()) / 2
    torch.testing.assert_close(loss_of(WeightedLoss(RARE), slice(None)), expected)


def test_the_loss_of_a_batch_is_the_sum_of_its_portions() -> None:
    loss = WeightedLoss(RARE)
    portions = [(slice(0, 7), 7 / 20), (slice(7, 16), 9 / 20), (slice(16, 20), 4 / 20)]
    summed = torch.stack([loss_of(loss, rows) * share for rows, share in portions]).sum()
    torch.testing.assert_close(summed, loss_of(loss, slice(None)))


def test_equally_frequent_classes_train_as_without_weights(bench: Bench, tiny: Callable[..., Params]) -> None:
    plain, _ = bench.train(tiny(dropout=0.0, lr=1e-3), "plain")
    weighted, _ = bench.train(tiny(dropout=0.0, lr=1e-3, class_weights="balanced"), "weighted")
    for name, weight in weighted.state_dict().items():
        torch.testing.assert_close(weight, plain.state_dict()[name], atol=1e-5, rtol=0)


@pytest.fixture
def unequal(bench: Bench, encoded: pa.Table) -> Bench:
    """Of the toy reviews every negative one, and every fourth positive."""
    bench.reviews = encoded.take([row for row in range(64) if row % 2 == 0 or row % 8 == 1])
    return bench


def test_balanced_weights_lean_to_the_rarer_label(
    unequal: Bench, tiny: Callable[..., Params], encoded: pa.Table
) -> None:
    def log_odds(**train: object) -> float:
        model, _ = unequal.train(tiny(epochs=1, **train), str(train))
        logits = predict(model, encoded["input_ids"].to_pylist(), unequal.padding, batch_size=64, precision="fp32")
        return float((logits[:, 1] - logits[:, 0]).mean())

    assert log_odds(class_weights="balanced") > log_odds(class_weights="none") + 0.1


@pytest.mark.parametrize("train", [{}, pytest.param({"runs": 2}, marks=pytest.mark.slow)], ids=["once", "averaged"])
def test_a_weighted_training_in_portions_is_continued_to_the_same_bytes(
    unequal: Bench, tiny: Callable[..., Params], train: dict[str, int]
) -> None:
    params = tiny(class_weights="balanced", device_batch_size=3, **train)
    whole, expected = unequal.train(params, "whole")
    unequal.interrupt(params, "interrupted", 6)
    continued, found = unequal.train(params, "interrupted")
    assert found == expected
    assert all(weight.equal(whole.state_dict()[name]) for name, weight in continued.state_dict().items())


def test_a_weighted_training_learns_the_same_in_portions(unequal: Bench, tiny: Callable[..., Params]) -> None:
    params = {"class_weights": "balanced", "dropout": 0.0, "lr": 1e-3}
    whole, _ = unequal.train(tiny(**params), "whole")
    portioned, _ = unequal.train(tiny(**params, device_batch_size=3), "portioned")
    for name, weight in portioned.state_dict().items():
        torch.testing.assert_close(weight, whole.state_dict()[name], atol=1e-4, rtol=0)
