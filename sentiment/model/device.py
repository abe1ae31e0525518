"""The device that computes, and the precision it computes in."""

import torch

from sentiment.core.errors import UserError

# cuDNN's attention, which torch prefers on newer GPUs, plans anew for each length of a batch. Lengths vary, and a plan
# takes longer than its batch.
torch.backends.cuda.enable_cudnn_sdp(False)


def device() -> torch.device:
    """Return the first GPU, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Say whether to compute in bfloat16; "auto" does where the device multiplies it natively."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        if precision == "bf16" and not native:
            raise UserError("params.yaml: precision is bf16, which this GPU does not multiply: take auto or fp32")
        return native and precision in {"auto", "bf16"}
    if precision != "auto":
        return precision == "bf16"
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))
