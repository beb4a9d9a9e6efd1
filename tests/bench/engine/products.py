"""What the answers take of a CPU's matrix products, and how fast it can make those."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

_SIZE, _TIMES = 2048, 10


def measured(dtype: Any) -> float:
    """Return how many operations a second the CPU makes in products of large square matrices."""
    import torch

    left, right = (torch.rand((_SIZE, _SIZE)).to(dtype) for _ in range(2))
    return 2 * _SIZE**3 / min(_seconds(lambda: left @ right) for _ in range(_TIMES))


def needed(model: Any, lengths: Sequence[tuple[int, int]]) -> int:
    """Return how many operations the weights take to answer, where each row has so many tokens of a
    prompt and of an answer: two a weight and token, of the head for those of an answer alone.
    Attention comes on top."""
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    every = sum(weight.numel() for weight in model.parameters()) - embeddings.weight.numel()
    if head.weight is not embeddings.weight:
        every -= head.weight.numel()
    read = sum(old + new - 1 for old, new in lengths)
    written = sum(new for _, new in lengths)
    return int(2 * (every * read + head.weight.numel() * written))


def _seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
