"""What of a model the server is told: the precision that LLaMA-Factory would load it in."""

from __future__ import annotations

import pytest

from assay.engine.vllm.architecture import _dtype


@pytest.mark.parametrize(
    ("asked", "own", "served"),
    [
        ("auto", "torch.float32", "float32"),
        ("auto", "torch.bfloat16", "bfloat16"),
        ("auto", None, "float32"),
        ("auto", "torch.float8_e4m3fn", "float32"),
        ("bfloat16", "torch.float32", "bfloat16"),
        ("float32", "torch.bfloat16", "float32"),
    ],
)
def test_the_precision_is_what_is_asked_for_or_the_weights_own(
    asked: str, own: object, served: str
) -> None:
    assert _dtype(asked, own) == served
