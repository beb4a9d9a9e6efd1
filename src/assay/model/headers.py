"""What a safetensors file says of itself: its tensors and their shapes, without reading them.

The format: 8 bytes, the length of a JSON header that names each tensor's dtype, shape and place;
then the tensors (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from assay.errors import ModelError

_AGAIN = "Copy the file there again, whole"
_PIECE = 1 << 20
_MOST_BYTES = 100_000_000  # that safetensors itself reads as a header


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor of a file, by its `dtype` and `shape`."""

    dtype: str
    shape: tuple[int, ...]


def tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name. Raises ModelError where the file is cut off
    or no such file."""
    size = path.stat().st_size
    header, start = _header(path, size)
    try:
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        found = {
            name: Tensor(dtype=str(entry["dtype"]), shape=tuple(map(int, entry["shape"])))
            for name, entry in entries.items()
        }
        missing = start + int(end) - size
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise ModelError(f"{path} is no safetensors file: its header is damaged", _AGAIN) from None
    if missing > 0:
        raise ModelError(f"{path} is cut off: {missing} of its bytes are missing", _AGAIN)
    return found


def zeros(path: Path) -> dict[str, bool]:
    """Return whether each tensor of a safetensors file is 0 throughout, by its name. Raises
    ModelError as `tensors`."""
    names = tensors(path)
    header, start = _header(path, path.stat().st_size)
    with path.open("rb") as file:
        return {name: _is_zero(file, start, *header[name]["data_offsets"]) for name in names}


def _is_zero(file: BinaryIO, start: int, first: int, end: int) -> bool:
    file.seek(start + first)
    for place in range(first, end, _PIECE):
        if file.read(min(_PIECE, end - place)).strip(b"\0"):
            return False
    return True


def _header(path: Path, size: int) -> tuple[dict[str, Any], int]:
    """Return the header, and where in the file the tensors begin."""
    with path.open("rb") as file:
        begin = file.read(8)
        length = struct.unpack("<Q", begin)[0] if len(begin) == 8 else 0
        if not 2 <= length <= _MOST_BYTES or 8 + length > size:
            raise ModelError(f"{path} is no safetensors file, or cut off in its header", _AGAIN)
        text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise ModelError(f"{path} is no safetensors file: its header is damaged", _AGAIN)
    return header, 8 + length
