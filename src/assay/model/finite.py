"""Weights that are no numbers, which a training that diverged leaves without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.errors import StageError
from assay.model import headers

# of a float's bits, those that are all set where it is NaN or infinite
_EXPONENT = {"F64": 0x7FF << 52, "F32": 0xFF << 23, "F16": 0x1F << 10, "BF16": 0xFF << 7}
_PIECE = 1 << 24


def check(folder: Path, remedy: str) -> None:
    """Raise StageError, with the `remedy`, where a tensor of the safetensors in `folder` has a
    number that is NaN or infinite."""
    for path in sorted(folder.glob("*.safetensors")):
        for name, tensor, (first, end) in headers.placed(path):
            if tensor.dtype in _EXPONENT and not _is_finite(path, tensor.dtype, first, end):
                raise StageError(f"{path} holds what is no number: its {name} is NaN", remedy)


def _is_finite(path: Path, dtype: str, first: int, end: int) -> bool:
    import numpy as np

    mask = _EXPONENT[dtype]
    kind: Any = {"F64": np.uint64, "F32": np.uint32}.get(dtype, np.uint16)
    with path.open("rb") as file:
        file.seek(first)
        for place in range(first, end, _PIECE):
            bits = np.frombuffer(file.read(min(_PIECE, end - place)), dtype=kind)
            if bool(np.any((bits & kind(mask)) == kind(mask))):
                return False
    return True
