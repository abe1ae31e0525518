"""The same bits on every x86-64 processor that has AVX2, at a cost.

What a processor can do beyond that decides otherwise how its libraries sum up, and so the last bits of every result.
"""

import os
import sys
from collections.abc import Mapping

from sentiment.params import Params

ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "MKL_CBWR": "COMPATIBLE",  # Intel's matrix products, which else differ by the processor's make and age
    "MKL_DYNAMIC": "FALSE",  # and take fewer threads than they are told to where there are fewer cores
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",  # numpy's and scipy's matrix products
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy's own loops
    "CUDA_VISIBLE_DEVICES": "",  # a GPU sums up in yet another order
}
"""What the libraries read when they are loaded."""


def is_portable(environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether this process computes what every other such process does."""
    return environment.items() >= ENVIRONMENT.items()


def fix_bits(params: Params) -> None:
    """Fix all that the bits of a computation depend on beside its inputs: the threads and, if portable, the kernels.

    The latter are chosen when the libraries are loaded: where they weren't asked for, the process starts anew, so
    what was done before is done again. Loads torch.
    """
    portable = params.precision == "portable"
    if portable and not is_portable():
        sys.stdout.flush()
        os.execve(sys.executable, sys.orig_argv, os.environ | ENVIRONMENT)

    import torch

    torch.set_num_threads(params.threads)
    if portable:
        # Its kernels are cut to the sizes of the processor's caches.
        torch._C._set_mkldnn_enabled(False)
