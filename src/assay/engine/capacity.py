"""How many prompts are answered together on an accelerator: many times those of a CPU, which is as
fast with a few, and no more than its memory has room for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

TIMES = 16
"""How many times `batch_size` an accelerator answers: a token takes it as long for all of them."""
_FOR_ANSWERS = 0.8  # of the free memory; the rest is for the step itself


def at_once(batch_size: int) -> int:
    """Return how many of the longest prompts are a batch on this machine."""
    import torch

    return batch_size * (TIMES if torch.accelerator.is_available() else 1)


def parts(model: Any, batch: Sequence[T], tokens: int) -> Iterator[Sequence[T]]:
    """Yield the batch, each of which takes so many `tokens` with its answer, in as few parts of one
    size as the free memory has room for."""
    if not batch:
        return
    most = _room(model, tokens) or len(batch)
    count = -(-len(batch) // most)
    size = -(-len(batch) // count)
    yield from (batch[first : first + size] for first in range(0, len(batch), size))


def _room(model: Any, tokens: int) -> int:
    """Return how many rows of so many tokens the model's device has room for, at least 1; 0 where
    it does not say."""
    import torch

    if model.device.type == "cpu":
        return 0
    device = torch.get_device_module(model.device)
    if not hasattr(device, "mem_get_info"):
        return 0
    device.empty_cache()
    free = _FOR_ANSWERS * device.mem_get_info(model.device)[0]
    each = tokens * remembered(model)
    return max(1, int(free / each)) if each else 0


def remembered(model: Any) -> int:
    """Return how many bytes the model keeps of a token, 0 where it does not show them."""
    import torch

    with torch.inference_mode():
        said = model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device))
    layers = getattr(getattr(said, "past_key_values", None), "layers", ())
    kept = [getattr(layer, name, None) for layer in layers for name in ("keys", "values")]
    return sum(tensor.nbytes for tensor in kept if tensor is not None)
