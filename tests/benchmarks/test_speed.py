"""The benchmark's arithmetic: medians, ratios, what is counted and what is not."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, BertConfig

from benchmarks import gpu, speed, timing
from benchmarks.costs import MODELS, flops_per_token
from benchmarks.recipes import batches_of_tokens, recipes
from benchmarks.speed import KINDS, flops, shares_of_time
from benchmarks.timing import Stopwatch, peak_memory, ratio, speeds_file, spread, turns
from report.tables import performance
from sentiment.core.errors import UserError
from sentiment.core.files import write_json
from sentiment.core.params import Params

SPEEDS = st.lists(st.floats(1, 1e6), min_size=1, max_size=9)


@given(values=SPEEDS)
def test_the_median_lies_within_the_range(values: list[float]) -> None:
    measured = spread(values)

    assert measured["low"] == min(values) <= measured["median"] <= max(values) == measured["high"]


def test_a_ratio_compares_each_repetition_with_its_own_rival() -> None:
    # The machine was ten times slower during the second: a ratio of medians would not be 2.
    assert ratio([200, 20, 220], [100, 10, 110]) == {"median": 2, "low": 2, "high": 2}


def test_each_repetition_begins_with_another_rival_and_the_first_one_has_its_turn_again() -> None:
    orders = ["".join(name for name, _ in turns({"a": 1, "b": 2, "c": 3}, repetition)) for repetition in range(4)]

    assert orders == ["abc", "bca", "cab", "abc"]


def test_repetitions_without_a_rival_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])


@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=60), tokens=st.integers(1, 1000))
def test_batches_of_tokens_hold_every_review_once_and_only_one_by_itself_may_be_larger(
    lengths: list[int], tokens: int
) -> None:
    batches = batches_of_tokens(np.array(lengths), tokens, seed=0)
    padded = [len(batch) * max(lengths[row] for row in batch) for batch in batches]

    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(size <= tokens or len(batch) == 1 for size, batch in zip(padded, batches, strict=True))


# The stock recipe asks for pinned memory, whether there is a GPU or not.
@pytest.mark.filterwarnings("ignore:'pin_memory' argument")
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.slow)])
def test_every_rival_takes_a_step_and_has_its_speed(
    device: str,
    encoded: pa.Table,
    pretrained: Path,
    params_with: Callable[..., Params],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = params_with(train={"batch_size": 4}, tokenize={"max_length": 64})
    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.recipes.device", lambda _: torch.device(device))
        rivals = recipes(encoded, params, tmp_path, pretrained)
    for number, (name, build) in enumerate(rivals.items()):
        trainer = build(number)
        stopwatch = Stopwatch(trainer, steps=1)
        trainer.train()
        assert stopwatch.tokens_per_second() > 0, name


@pytest.mark.parametrize(("warmup", "real_tokens"), [(1, 2 + 1), (2, 1 + 3)])
def test_warming_steps_and_padding_are_not_counted(
    warmup: int, real_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([5.0] * (warmup - 1) + [10.0, 12.0, 16.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))

    def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        return {"attention_mask": torch.tensor([row["mask"] for row in rows])}

    trainer = SimpleNamespace(data_collator=collate, add_callback=lambda _: None, remove_callback=lambda _: None)
    stopwatch = Stopwatch(trainer, steps=2, warmup=warmup)
    control = SimpleNamespace(should_training_stop=False)
    stopped = []
    for mask in ([1] * 100, [1, 1, 0], [1, 0, 0], [1, 1, 1], [1] * 9):  # the loader fetches one batch too many
        trainer.data_collator([{"mask": mask}])
    for _ in range(warmup + 2):
        stopwatch.on_step_end(None, None, control)
        stopped.append(control.should_training_stop)

    assert stopped == [False] * (warmup + 1) + [True]
    assert stopwatch.tokens_per_second() == pytest.approx(real_tokens / 6)


def test_attention_costs_each_token_the_length_of_its_review() -> None:
    model = MODELS["all-MiniLM-L6-v2"]
    frozen = 6 * model.hidden**2
    total = sum(length * flops_per_token(model, length) for length in (10, 190))

    assert flops(model, np.array([10, 190])) == pytest.approx(total / 200 - frozen)


def test_the_shares_of_time_are_those_of_the_operators_own_time_and_sum_to_one() -> None:
    times = {"aten::mm": 30.0, "aten::addmm": 30.0, "aten::copy_": 20.0, "aten::view": 20.0}
    events = [SimpleNamespace(key=name, self_cpu_time_total=time) for name, time in times.items()]
    shares = shares_of_time(SimpleNamespace(key_averages=lambda: events))

    assert shares["matrix products of the layers"] == pytest.approx(0.6)
    assert shares["everything else"] == pytest.approx(0.2)
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == {*KINDS, "everything else"}


@pytest.mark.skipif(sys.platform == "win32", reason="getrusage is of Unix")
def test_peak_memory_is_that_of_the_process_alone(tmp_path: Path) -> None:
    """Not that of this one, which has all packages loaded."""
    for name, size in (("large", 200), ("small", 1)):
        (tmp_path / f"{name}.py").write_text(f"kept = bytearray({size} * 2**20)\nprint({size})\n")

    large, printed = peak_memory("large", folder=tmp_path)
    small, _ = peak_memory("small", folder=tmp_path)

    assert printed == "200"
    assert large > 200 * 2**20 > small


@pytest.mark.parametrize(
    ("arithmetic", "dtype"), [("AMX", torch.bfloat16), ("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_the_peak_is_that_of_the_precision_that_auto_takes(
    arithmetic: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(speed, "arithmetic", lambda: arithmetic)
    monkeypatch.setattr(speed, "matmul_peak", lambda _shapes, dtype: seen.append(dtype))
    speed.peak(MODELS["all-MiniLM-L6-v2"], 16)

    assert seen == [dtype]


@pytest.mark.parametrize(
    ("capabilities", "kind"),
    [
        ({"avx2": True}, "fp32"),
        ({"avx512_bf16": True}, "avx512_bf16"),
        ({"avx512_bf16": True, "amx_bf16": True}, "amx"),
    ],
)
def test_each_kind_of_processor_has_a_file_of_its_own_and_no_other_is_measured_into_it(
    capabilities: dict[str, bool], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    assert speeds_file() == speeds_file(kind) == Path(f"benchmarks/speeds/{kind}.json")
    sentence = f"this processor is of the kind {kind}, not arm: dvc repro benchmarks/dvc.yaml:speeds@{kind}"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        speeds_file("arm")


def test_a_measurement_on_a_gpu_says_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    sentence = "torch sees no GPU here; for processors there is python -m benchmarks.speed"

    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        gpu.main([])


def test_models_measured_on_a_gpu_have_random_weights_and_the_pretrained_models_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "from").mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        (tmp_path / "from" / name).write_text("{}")
    monkeypatch.setattr(gpu, "PRETRAINED", tmp_path / "from")
    folder = gpu.pretrained(
        BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2), tmp_path / "to"
    )

    assert (folder / "tokenizer.json").read_text() == "{}"
    assert AutoModel.from_pretrained(folder).config.hidden_size == 8


def test_the_table_of_a_gpu_has_a_row_for_each_model_work_and_rival(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(unit: str) -> dict[str, Any]:
        rivals = {"ours": spread([3000.0]), "stock": spread([1500.0])}
        return {f"{unit}_per_second": rivals, "ratio": {"stock": ratio([3000.0], [1500.0])}}

    monkeypatch.chdir(tmp_path)
    works = {"training": measured("tokens"), "evaluation": measured("reviews")}
    write_json(tmp_path / performance.GPU, {"models": {"small": works}})

    assert performance.gpu().splitlines()[2:] == [
        "| small | training, tokens/s | 3,000 | stock | 1,500 | **2.00** (2.00 to 2.00) |",
        "| small | evaluation, reviews/s | 3,000 | stock | 1,500 | **2.00** (2.00 to 2.00) |",
    ]
