"""Whether an adapter's own weights change anything, told by its bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from assay.model.adapter import is_blank

A, B = "model.q.lora_A.weight", "model.q.lora_B.weight"
ZERO, ONE = bytes(8), struct.pack("<2f", 0, 1e-30)


def write(folder: Path, tensors: dict[str, bytes], dtype: str = "F32", width: int = 4) -> Path:
    header, data = {}, b""
    for name, held in tensors.items():
        place = [len(data), len(data) + len(held)]
        header[name] = {"dtype": dtype, "shape": [len(held) // width], "data_offsets": place}
        data += held
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path = folder / "adapter_model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return folder


@pytest.mark.parametrize(
    ("tensors", "blank"),
    [
        ({A: ONE, B: ZERO}, True),
        ({A: ZERO, B: ZERO}, True),
        ({A: ONE, B: ONE}, False),
        ({A: ZERO, B: ONE}, False),
        ({A: ONE, B: ZERO, B.replace("q", "v"): ONE}, False),
        ({A: ONE, B: bytes(1 << 21)}, True),
        ({A: ONE, B: bytes(1 << 21) + ONE}, False),
        ({A: ONE, B: ZERO, "model.q.lora_magnitude_vector": ONE}, True),
        ({A: ONE, B: ZERO, "model.lm_head.weight": ZERO}, False),
        ({A: ONE}, False),
        ({}, False),
    ],
)
def test_each_second_factor_has_to_be_0(
    tmp_path: Path, tensors: dict[str, bytes], blank: bool
) -> None:
    assert is_blank(write(tmp_path, tensors)) == blank


@pytest.mark.parametrize(
    ("dtype", "width"),
    [("F8_E4M3", 1), ("F8_E5M2", 1), ("BF16", 2), ("F16", 2), ("F32", 4), ("F64", 8)],
)
def test_minus_0_is_0(tmp_path: Path, dtype: str, width: int) -> None:
    """And a number whose bytes are those of -0 in another order is none."""
    minus = bytes(width - 1) + b"\x80"
    for held, blank in (
        (minus, True),
        (bytes(width) + minus, True),
        (bytes(1 << 20) + minus, True),
        (minus + b"\x81".rjust(width, b"\0"), False),
        (minus + b"\x80".ljust(width, b"\0"), width == 1),
    ):
        assert is_blank(write(tmp_path, {A: ONE * 2, B: held}, dtype, width)) == blank


@pytest.mark.parametrize(("dtype", "width"), [("I8", 1), ("U8", 1), ("F8_E8M0", 1), ("I16", 2)])
def test_the_lowest_number_of_a_type_without_minus_0_is_not_0(
    tmp_path: Path, dtype: str, width: int
) -> None:
    held = bytes(width - 1) + b"\x80"
    assert not is_blank(write(tmp_path, {A: ONE, B: held}, dtype, width))


def test_pickled_weights_are_taken_to_change_something(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    assert not is_blank(tmp_path)
