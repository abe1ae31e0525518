"""What a training was made from: all that its bits depend on."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sentiment.core import processes
from sentiment.core.files import sha256
from sentiment.core.params import Params
from sentiment.model.device import NAMES, arithmetic, description, device
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


def environment(params: Params) -> dict[str, Any]:
    """Return all of the machine and its software that the bits of a training depend on."""
    import torch

    place = device(params.device)
    # The bits of one process, which has always been the rule, are those of before there were several.
    several = {"processes": processes.count()} if processes.count() > 1 else {}
    return several | {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "threads": params.threads,
        "portable": is_portable(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": description(place),
        "cuda": torch.version.cuda,
        "precision": NAMES[arithmetic(params.precision, place)],
    }


def provenance_of(params: Params, inputs: list[Path]) -> dict[str, Any]:
    """Return the environment, the sha256 of every file in the folders `inputs`, and the parameters that decide."""
    files = [path for folder in inputs for path in sorted(folder.rglob("*")) if path.is_file()]
    decisive = {"seed": params.seed, "train": params.train.decisive, "evaluate": params.evaluate.model_dump()}
    return {
        "environment": environment(params),
        "inputs": {path.as_posix(): sha256(path) for path in files},
        "parameters": decisive,
    }
