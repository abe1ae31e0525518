"""Reproducible bits: the threads, and for `precision: portable` the same kernels on every x86-64 processor with AVX2.

Otherwise what a processor can do decides in which order the libraries sum up, and so the last bits of every result.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import NoReturn

from sentiment.core.params import Params

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
    """Say whether this process was started with portable kernels."""
    return environment.items() >= ENVIRONMENT.items()


def fix_bits(params: Params) -> None:
    """Set what the bits of a computation depend on beside its inputs: the threads and, if portable, the kernels.

    Kernels are chosen when the libraries are loaded. A process that was not started for portable ones therefore starts
    again from its command line, so whatever ran before runs twice. Loads torch.
    """
    portable = params.precision == "portable"
    if portable and not is_portable():
        _start_anew(os.environ | ENVIRONMENT)

    import torch

    torch.set_num_threads(params.threads)
    if portable:
        # Its kernels are cut to the sizes of the processor's caches.
        torch._C._set_mkldnn_enabled(False)


def _start_anew(environment: Mapping[str, str]) -> NoReturn:
    """Run this process's command line in the environment, in its place."""
    command = [sys.executable, *sys.orig_argv[1:]]
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(sys.executable, command, environment)
    # What Windows has for it ends this process at once, which DVC would take for the stage's end. Ctrl-C reaches both
    # processes, and the new one knows what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)
