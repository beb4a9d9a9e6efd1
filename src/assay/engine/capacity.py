"""How many prompts are answered together on an accelerator: many times those of a CPU, which is as
fast with a few, and no more than its memory has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

RoomFor = Callable[[int], int]
"""How many rows of so many tokens a device has room for, at least 1; 0 where it does not say."""

TIMES = 16
"""How many times `batch_size` an accelerator answers: a token takes it as long for all of them."""
_FOR_ANSWERS = 0.8  # of the free memory; the rest is for the step itself


def at_once(batch_size: int) -> int:
    """Return how many of the longest prompts are a batch on this machine."""
    import torch

    return batch_size * (TIMES if torch.accelerator.is_available() else 1)


def room(model: Any) -> RoomFor:
    """Return how to learn how many rows of some tokens each the model's device has room for now. It
    asks the model, once, what it keeps of a token."""
    import torch

    device = torch.get_device_module(model.device)
    if not hasattr(device, "mem_get_info"):  # a CPU's, for one
        return _no_bound
    kept = remembered(model)

    def rows(tokens: int) -> int:
        device.empty_cache()
        free = _FOR_ANSWERS * device.mem_get_info(model.device)[0]
        return max(1, int(free / (tokens * kept)))

    return rows if kept else _no_bound


def parts(room: RoomFor, batch: Sequence[T], tokens: int) -> Iterator[Sequence[T]]:
    """Yield the batch, each of which takes so many `tokens` with its answer, in as few parts of one
    size as there is room for."""
    most = room(tokens) or len(batch)
    count = -(-len(batch) // most)
    size = -(-len(batch) // count)
    yield from (batch[first : first + size] for first in range(0, len(batch), size))


def remembered(model: Any) -> int:
    """Return how many bytes the model keeps of a token, 0 where it does not show them."""
    import torch

    with torch.inference_mode():
        said = model(input_ids=torch.zeros((1, 1), dtype=torch.long, device=model.device))
    layers = getattr(getattr(said, "past_key_values", None), "layers", ())
    kept = [getattr(layer, name, None) for layer in layers for name in ("keys", "values")]
    return sum(tensor.nbytes for tensor in kept if tensor is not None)


def _no_bound(_tokens: int) -> int:
    return 0
