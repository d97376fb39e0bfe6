"""Compute in bfloat16 where the processor is faster in it."""

from contextlib import AbstractContextManager, nullcontext

import torch


def half_precision(device: torch.device) -> AbstractContextManager:
    """Compute convolutions and matrix products in bfloat16, on CPUs that have instructions for it; else change nothing.

    For optimisation, whose later steps correct the rounding errors of earlier ones, not for numbers that are reported:
    bfloat16 has two to three significant digits.
    """
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # without them bfloat16 is slower
    return torch.autocast("cpu", torch.bfloat16) if device.type == "cpu" and native() else nullcontext()
