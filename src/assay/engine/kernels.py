"""Which of torch's kernels attend on a CUDA device.

cuDNN's are the fastest and planned anew for each shape, for longer than most shapes are used: each
token of transformers' loop has one of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unplanned(model: Any) -> Iterator[None]:
    """Have `model` attend by kernels that take any shape at once while the body runs."""
    if model.device.type != "cuda":
        yield
        return
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):
        yield
