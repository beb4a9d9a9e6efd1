"""How many prompts are answered together: many times `batch_size`, since a step reads all weights
for however many rows, and no more than the device's memory has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from assay import process

T = TypeVar("T")

RoomFor = Callable[[int], int]
"""How many rows of so many tokens a device has room for, at least 1; 0 where it does not say."""

TIMES, TIMES_ON_CPU = 16, 4
"""How many times `batch_size` are answered: an accelerator takes as long for a token of each, a CPU
reaches its full rate."""
_FOR_ANSWERS = 0.8  # of an accelerator's free memory; the rest is for the step itself
_FOR_ANSWERS_ON_CPU = 0.4  # other processes have theirs there
_READ_ON_CPU = 16_384  # tokens


def at_once(batch_size: int) -> int:
    """Return how many of the longest prompts are a batch on this machine."""
    import torch

    return batch_size * (TIMES if torch.accelerator.is_available() else TIMES_ON_CPU)


def room(model: Any) -> RoomFor:
    """Return how to learn how many rows of some tokens each the model's device has room for now. It
    asks the model, once, what it keeps of a token."""
    free = _free(model.device)
    kept = remembered(model) if free else 0
    if not (free and kept):
        return lambda _tokens: 0
    return lambda tokens: max(1, int(free() / (tokens * kept)))


def _free(place: Any) -> Callable[[], float] | None:
    """Return what says how many bytes of a device's memory are for answers, None where it is not
    known."""
    import torch

    if place.type == "cpu":
        return lambda: _FOR_ANSWERS_ON_CPU * _left()
    device = torch.get_device_module(place)
    if not hasattr(device, "mem_get_info"):
        return None

    def free() -> float:
        device.empty_cache()
        return float(_FOR_ANSWERS * device.mem_get_info(place)[0])

    return free


def _left() -> int:
    """Return how many bytes more this process may take: of the machine's memory, or of its
    container's."""
    import psutil

    own = psutil.Process().memory_info().rss
    left = min(psutil.virtual_memory().available, process.memory() - own)
    return max(0, int(left))


def read_at_once(model: Any, width: int) -> int:
    """Return how many prompts of so many tokens transformers' loop may read at once, 0 for any
    number: on a CPU nothing says that what a model holds meanwhile is too much."""
    return max(1, _READ_ON_CPU // width) if model.device.type == "cpu" else 0


def parts(room: RoomFor, batch: Sequence[T], tokens: int, most: int = 0) -> Iterator[Sequence[T]]:
    """Yield the batch, each of which takes so many `tokens` with its answer, in as few parts of one
    size as there is room for, none of more than `most` (0: any number)."""
    most = min(room(tokens) or len(batch), most or len(batch))
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
