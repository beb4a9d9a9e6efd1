"""What of a model the server is told: the precision that LLaMA-Factory would load it in."""

from __future__ import annotations

import pytest

from assay.engine.vllm.architecture import _dtype


@pytest.mark.parametrize(
    ("loaded", "served"),
    [
        ("bfloat16", "bfloat16"),
        ("float16", "float16"),
        ("float32", "float32"),
        ("float64", "float32"),
    ],
)
def test_the_precision_is_that_of_the_weights_or_the_nearest_to_it(
    loaded: str, served: str
) -> None:
    assert _dtype(loaded) == served
