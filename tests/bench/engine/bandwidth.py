"""What the decoding of answers has to read of a device's memory, and how fast that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_COPIED = 2**32  # bytes: many times what a device has of caches
_TIMES = 10


def measured() -> float:
    """Return how many bytes a second the accelerator reads and writes as it copies them."""
    import torch

    source = torch.randint(0, 255, (_COPIED,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    seconds = sorted(_seconds(lambda: target.copy_(source)) for _ in range(_TIMES))
    return 2 * _COPIED / seconds[_TIMES // 2]


def weights(model: Any) -> int:
    """Return how many bytes of weights a step reads: of embeddings only those that are the head's
    too."""
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    total = sum(weight.nbytes for weight in model.parameters())
    return int(total if embeddings.weight is head.weight else total - embeddings.weight.nbytes)


def read(lengths: Sequence[tuple[int, int]], weights_bytes: int, token_bytes: int) -> int:
    """Return how many bytes must be read to answer a batch, of whose rows each has so many tokens
    of a prompt and of an answer: the weights for each token of the longest answer, and the keys and
    values of all tokens before each."""
    steps = max(new for _, new in lengths)
    seen = sum(old * new + new * (new - 1) // 2 for old, new in lengths)
    return steps * weights_bytes + seen * token_bytes


def _seconds(work: Any) -> float:
    import torch

    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return float(begin.elapsed_time(end)) / 1000
