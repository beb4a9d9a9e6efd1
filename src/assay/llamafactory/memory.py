"""Memory that is too small for a batch: one error for it, whatever the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_ON_CPU = "can't allocate memory"


@contextmanager
def full_alike() -> Iterator[None]:
    """Raise torch.OutOfMemoryError where a CPU's memory is too small, as an accelerator's does."""
    import torch

    try:
        yield
    except RuntimeError as error:
        if _ON_CPU not in str(error):
            raise
        raise torch.OutOfMemoryError(str(error)) from None
