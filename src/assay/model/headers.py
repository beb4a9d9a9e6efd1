"""What a safetensors file says of itself: its tensors and their shapes, without reading them.

The format: 8 bytes, the length of a JSON header that names each tensor's dtype, shape and place;
then the tensors (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from assay.errors import ModelError

_AGAIN = "Copy the file there again, whole"
_PIECE = 1 << 20
_MOST_BYTES = 100_000_000  # that safetensors itself reads as a header
_WIDTH = re.compile(r"(?:BF|[FIUC])(\d+)")  # such as of F8_E4M3
_BYTE = {"BOOL": 8}
_SIGNED = {"F8_E4M3": 1, "F8_E5M2": 1, "BF16": 2, "F16": 2, "F32": 4, "C64": 4, "F64": 8}
"""Of how many bytes a number is, in the types that have a -0: the sign is in the last byte."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor of a file, by its `dtype` and `shape`."""

    dtype: str
    shape: tuple[int, ...]


def tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name. Raises ModelError as `placed`."""
    return {name: tensor for name, tensor, _ in placed(path)}


def placed(path: Path) -> list[tuple[str, Tensor, tuple[int, int]]]:
    """Return the tensors of a safetensors file by name, in their order, each with where in the file
    it is. Raises ModelError where the file is cut off or no such file, or its tensors are not where
    its header says."""
    size = path.stat().st_size
    header, start = _header(path, size)
    try:
        places = sorted(
            (int(entry["data_offsets"][0]), int(entry["data_offsets"][1]), name)
            for name, entry in header.items()
            if name != "__metadata__"
        )
        found = {
            name: Tensor(
                dtype=str(header[name]["dtype"]), shape=tuple(map(int, header[name]["shape"]))
            )
            for _, _, name in places
        }
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise ModelError(f"{path} is no safetensors file: its header is damaged", _AGAIN) from None
    missing = start + (places[-1][1] if places else 0) - size
    if missing > 0:
        raise ModelError(f"{path} is cut off: {missing} of its bytes are missing", _AGAIN)
    _check_places(path, found, places, -missing)
    return [(name, found[name], (start + first, start + end)) for first, end, name in places]


def _check_places(
    path: Path, found: Mapping[str, Tensor], places: Iterable[tuple[int, int, str]], left: int
) -> None:
    """Raise ModelError unless the tensors `found` in a file stand one after the other, each as long
    as it is, and no bytes are `left` after the last."""
    before = 0
    for first, end, name in places:
        bits = _bits(found[name])
        if first != before or end < first or (bits is not None and bits != 8 * (end - first)):
            raise ModelError(
                f"{path} is damaged: its tensor {name} is not where its header says", _AGAIN
            )
        before = end
    if left:
        raise ModelError(f"{path} is damaged: {left} bytes stand after its last tensor", _AGAIN)


def _bits(tensor: Tensor) -> int | None:
    """Return how many bits a tensor has, None where its type does not say it."""
    each = _WIDTH.match(tensor.dtype)
    width = int(each[1]) if each else _BYTE.get(tensor.dtype)
    return None if width is None else width * prod(tensor.shape)


def zeros(path: Path) -> dict[str, bool]:
    """Return whether each tensor of a safetensors file is 0 throughout, -0 or not, by its name.
    Raises ModelError as `placed`."""
    with path.open("rb") as file:
        return {
            name: _is_zero(file, *place, _SIGNED.get(tensor.dtype, 0))
            for name, tensor, place in placed(path)
        }


def _is_zero(file: BinaryIO, first: int, end: int, signed: int) -> bool:
    file.seek(first)
    return all(
        _has_zeros(file.read(min(_PIECE, end - place)), signed)
        for place in range(first, end, _PIECE)
    )


def _has_zeros(piece: bytes, signed: int) -> bool:
    """Return whether the numbers of a piece are 0; those `signed` are of so many bytes."""
    left = piece.strip(b"\0")
    if not left or not signed or left.strip(b"\0\x80"):
        return not left
    signs = piece[signed - 1 :: signed].replace(b"\x80", b"\0")
    return not signs.strip(b"\0") and not any(
        piece[byte::signed].strip(b"\0") for byte in range(signed - 1)
    )


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
