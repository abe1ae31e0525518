"""Which device computes, and in what, on computers that this one is made to look like."""

import re
import sys

import pytest
import torch

from sentiment.core.errors import UserError
from sentiment.model.device import NAMES, arithmetic, description, device

CPU, CUDA, MPS = (torch.device(kind) for kind in ("cpu", "cuda", "mps"))
GPUS = {"Tesla P100": (6, 0), "Tesla V100": (7, 0), "Tesla T4": (7, 5), "A100": (8, 0), "L4": (8, 9), "H100": (9, 0)}
X86 = {"avx2": True, "avx512_bf16": False, "amx_bf16": False}
APPLE = {"neon": True, "bf16": True, "sve_bf16": False}
ARM_SERVER = {"neon": True, "bf16": True, "sve_bf16": True}


def pretend(
    patch: pytest.MonkeyPatch,
    *,
    gpu: str | None = None,
    apple_gpu: bool = False,
    cpu: dict[str, bool] = X86,
    system: str = "linux",
    built_for_cuda: bool = True,
) -> None:
    """Make torch take this computer for another one."""
    patch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    patch.setattr(torch.cuda, "get_device_capability", lambda *_: GPUS[gpu])
    patch.setattr(torch.cuda, "get_device_name", lambda *_: gpu)
    patch.setattr(torch.version, "cuda", "13.0" if built_for_cuda else None)
    patch.setattr(torch.backends.mps, "is_available", lambda: apple_gpu)
    patch.setattr(torch.cpu, "get_capabilities", lambda: cpu)
    patch.setattr(sys, "platform", system)


@pytest.mark.parametrize(
    ("gpu", "auto", "bf16", "fp16"),
    [
        ("Tesla P100", "fp32", None, None),
        ("Tesla V100", "fp16", None, "fp16"),
        ("Tesla T4", "fp16", None, "fp16"),
        ("A100", "bf16", "bf16", "fp16"),
        ("L4", "bf16", "bf16", "fp16"),
        ("H100", "bf16", "bf16", "fp16"),
    ],
)
def test_a_gpu_computes_in_what_its_tensor_cores_multiply_and_refuses_what_they_do_not(
    gpu: str, auto: str, bf16: str | None, fp16: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, gpu=gpu)
    for precision, expected in {"auto": auto, "fp32": "fp32", "bf16": bf16, "fp16": fp16}.items():
        if expected:
            assert NAMES[arithmetic(precision, CUDA)] == expected
        else:
            sentence = f"params.yaml: precision is {precision}, which this GPU, {gpu}, does not multiply: take auto, "
            with pytest.raises(UserError, match=f"^{re.escape(sentence)}which is {auto} here$"):
                arithmetic(precision, CUDA)


@pytest.mark.parametrize(
    ("cpu", "system", "auto"),
    [
        pytest.param(X86, "linux", "fp32", id="x86 without bf16"),
        pytest.param(X86 | {"avx512_bf16": True}, "linux", "bf16", id="x86 with AVX512-BF16"),
        pytest.param(X86 | {"amx_bf16": True}, "linux", "bf16", id="x86 with AMX"),
        pytest.param(X86 | {"avx512_bf16": True}, "win32", "bf16", id="the same under Windows"),
        pytest.param(X86, "darwin", "fp32", id="a Mac with an Intel processor"),
        pytest.param(APPLE, "darwin", "fp32", id="a Mac with Apple's"),
        pytest.param(APPLE, "linux", "fp32", id="Linux on Apple's"),
        pytest.param(ARM_SERVER, "linux", "bf16", id="an Arm server"),
        pytest.param(ARM_SERVER, "win32", "fp32", id="Windows on Arm"),
        pytest.param({"neon": True, "bf16": False}, "linux", "fp32", id="an Arm board"),
    ],
)
def test_a_processor_computes_in_bf16_only_where_that_is_known_to_be_fast_and_in_all_when_asked(
    cpu: dict[str, bool], system: str, auto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, cpu=cpu, system=system)
    asked = {"auto": auto, "fp32": "fp32", "bf16": "bf16", "fp16": "fp16", "portable": "fp32"}
    assert {precision: NAMES[arithmetic(precision, CPU)] for precision in asked} == asked


def test_apples_gpu_computes_in_fp32_and_says_so_where_another_precision_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, apple_gpu=True, cpu=APPLE, system="darwin")
    assert {arithmetic(precision, MPS) for precision in ("auto", "fp32")} == {torch.float32}
    for precision in ("bf16", "fp16"):
        sentence = f"params.yaml: precision is {precision}, and device mps computes in fp32 only: take auto or fp32"
        with pytest.raises(UserError, match=f"^{sentence}$"):
            arithmetic(precision, MPS)


@pytest.mark.parametrize(
    ("gpu", "apple_gpu", "auto", "refused"),
    [(None, False, CPU, {"cuda", "mps"}), ("Tesla T4", False, CUDA, {"mps"}), (None, True, CPU, {"cuda"})],
    ids=["without a GPU", "with NVIDIA's", "with Apple's"],
)
def test_auto_takes_a_gpu_of_cuda_and_never_apples_and_what_is_not_there_is_refused(
    gpu: str | None, apple_gpu: bool, auto: torch.device, refused: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, gpu=gpu, apple_gpu=apple_gpu)
    assert device("auto") == auto
    for choice in ("cpu", "cuda", "mps"):
        if choice in refused:
            with pytest.raises(UserError, match=rf"^params\.yaml: device is {choice}, .*: .*take auto or cpu$"):
                device(choice)
        else:
            assert device(choice) == torch.device(choice)


@pytest.mark.parametrize(
    ("built_for_cuda", "cause"),
    [
        (
            True,
            "finds no GPU that it can use: see whether nvidia-smi lists one and CUDA_VISIBLE_DEVICES does not hide it",
        ),
        (False, "is a build without CUDA: install one with it (pytorch.org tells how)"),
    ],
)
def test_where_a_gpu_is_asked_for_in_vain_the_cause_is_named(
    built_for_cuda: bool, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, built_for_cuda=built_for_cuda)
    with pytest.raises(UserError) as caught:
        device("cuda")
    assert str(caught.value) == f"params.yaml: device is cuda, and torch {cause}, or take auto or cpu"


def test_a_device_is_described_by_what_its_bits_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpu="Tesla T4", apple_gpu=True)
    monkeypatch.setattr("platform.mac_ver", lambda: ("15.6", ("", "", ""), "arm64"))
    assert [description(place) for place in (CPU, CUDA, MPS)] == ["cpu", "Tesla T4", "mps, macOS 15.6"]
