"""Attention of one new token, over keys and values that several heads share.

transformers copies them for each head before it calls torch, which on a device takes longer than
the attention; the heads that share them are asked together instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAME = "assay_grouped"


@contextmanager
def attending(model: Any) -> Iterator[None]:
    """Have `model`, which reads one token of each row at a time, attend so while the body runs."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def attend(
    _module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    *,
    scaling: float | None = None,
    **_more: Any,
) -> tuple[Any, None]:
    """Return what each head of one token attends to, as transformers' own function does."""
    from torch.nn.functional import scaled_dot_product_attention

    rows, heads, tokens, size = query.shape
    shared = key.shape[1]
    seen = scaled_dot_product_attention(
        query.reshape(rows, shared, heads // shared, size),
        key,
        value,
        attn_mask=attention_mask.expand(rows, 1, heads // shared, key.shape[2]),
        scale=scaling,
    )
    return seen.reshape(rows, tokens, heads, value.shape[3]), None
