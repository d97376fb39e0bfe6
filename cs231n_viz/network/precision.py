"""Compute in bfloat16 where the processor is faster in it."""

from contextlib import AbstractContextManager, nullcontext

import torch


def half_precision(device: torch.device) -> AbstractContextManager:
    """Convolutions and matrix products in bfloat16, on CPUs that have instructions for it; elsewhere nothing changes.

    For searches that correct themselves at every step, not for results: bfloat16 keeps three digits.
    """
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # without it bfloat16 is slower
    return torch.autocast("cpu", torch.bfloat16) if device.type == "cpu" and native() else nullcontext()
