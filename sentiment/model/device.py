"""The device that computes, and the precision it computes in."""

import platform
import sys

import torch

from sentiment.core.errors import UserError

# cuDNN's attention, which torch prefers on newer GPUs, plans anew for each length of a batch. Lengths vary, and a plan
# takes longer than its batch.
torch.backends.cuda.enable_cudnn_sdp(False)

NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
DTYPES = {name: dtype for dtype, name in NAMES.items()} | {"portable": torch.float32}
NATIVE_SINCE = {torch.bfloat16: (8, 0), torch.float16: (7, 0)}
"""The compute capability from which on NVIDIA's GPUs have tensor cores for it, the preferred one first."""


def device(choice: str) -> torch.device:
    """Return the device that params.yaml's `device` names; auto is the first GPU of CUDA, else the CPU.

    Raises UserError where torch can't use it here. Apple's GPUs have to be asked for: docs/platforms.md says why.
    """
    if choice == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if choice == "cuda" and not torch.cuda.is_available():
        cause = (
            "finds no GPU that it can use: see whether nvidia-smi lists one and CUDA_VISIBLE_DEVICES does not hide it"
            if torch.version.cuda or torch.version.hip
            else "is a build without CUDA: install one with it (pytorch.org tells how)"
        )
        raise UserError(f"params.yaml: device is cuda, and torch {cause}, or take auto or cpu")
    if choice == "mps" and not torch.backends.mps.is_available():
        raise UserError("params.yaml: device is mps, an Apple processor's GPU, and torch finds none: take auto or cpu")
    return torch.device(choice)


def description(device: torch.device) -> str:
    """Name what the bits of a computation depend on, in words: the kind of GPU, for Apple's the system as well."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    # Its kernels are a part of macOS.
    return f"mps, macOS {platform.mac_ver()[0]}" if device.type == "mps" else device.type


def arithmetic(precision: str, device: torch.device) -> torch.dtype:
    """Return what the device multiplies matrices in, for a value of params.yaml's `precision`.

    auto is the fastest that the device has in hardware. The weights are float32 whatever is returned. Raises UserError
    where the device can't do what is asked for.
    """
    if precision == "auto":
        return _fastest(device)
    dtype = DTYPES[precision]
    if dtype == torch.float32 or device.type == "cpu":
        return dtype
    if device.type == "mps":
        raise UserError(
            f"params.yaml: precision is {precision}, and device mps computes in fp32 only: take auto or fp32"
        )
    if torch.cuda.get_device_capability(device) < NATIVE_SINCE[dtype]:
        raise UserError(
            f"params.yaml: precision is {precision}, which this GPU, {torch.cuda.get_device_name(device)}, does not "
            f"multiply: take auto, which is {NAMES[_fastest(device)]} here"
        )
    return dtype


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return next((dtype for dtype, since in NATIVE_SINCE.items() if capability >= since), torch.float32)
    found = torch.cpu.get_capabilities()
    x86 = found.get("avx512_bf16") or found.get("amx_bf16")
    # Apple's processors have bf16 without SVE, and are several times slower in it; so they are under Linux on a Mac.
    arm = sys.platform == "linux" and found.get("sve_bf16")
    return torch.bfloat16 if device.type == "cpu" and (x86 or arm) else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Let matrices be multiplied in this type for a while."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
