"""All that the bits of a training depend on."""

import platform
from importlib.metadata import version
from typing import Any

from sentiment.model.reproducible import is_portable

PACKAGES = (
    "accelerate",
    "numpy",
    "peft",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
)


def environment(threads: int, device: str, *, bf16: bool) -> dict[str, Any]:
    """Return all of the machine and its software that the bits of a training depend on."""
    import torch

    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "threads": threads,
        "portable": is_portable(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "cuda": torch.version.cuda,
        "precision": "bf16" if bf16 else "fp32",
    }
