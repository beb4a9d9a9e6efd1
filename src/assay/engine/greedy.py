"""Greedy answers, in a loop that keeps keys and values in one place and drops what has ended.

transformers' loop copies all keys and values for each token, and once more for each head that
shares them, and goes on with every row until the last has ended. On a CUDA device it has Python
start a thousand small kernels besides, for longer than the device needs to read the weights: here
the step that writes a token is recorded as a CUDA graph, which starts them at once. It is recorded
anew as the answers grow, so that hardly any memory is read that holds no token yet.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from assay.engine.grouped import attending
from assay.engine.places import turn
from assay.engine.rows import Rows, live, of_prompts, step

SPAN, LOOK = 128, 16
"""How many tokens are written before room is made for more, and after how many it is seen which
answers have ended."""
FEW = 32  # rows, of which a step of an accelerator takes no longer than of one
_DEVICES = ("cpu", "cuda")
_PLAIN = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}


def serves(model: Any, options: Mapping[str, Any]) -> bool:
    """Return whether this loop can have `model` answer as the `options` for its own say."""
    return model.device.type in _DEVICES and is_greedy(options) and is_plain(model)


def is_greedy(options: Mapping[str, Any]) -> bool:
    """Return whether the likeliest token is what is written, whatever stands before it."""
    return all((options.get(name) or plain) == plain for name, plain in _PLAIN.items())


def is_plain(model: Any) -> bool:
    """Return whether a step of `model` is the same whatever its numbers are, with nothing to
    remember but each token's keys and values, on one device."""
    return (
        getattr(model, "_can_compile_fullgraph", False)
        and model.config._attn_implementation == "sdpa"
        and model._can_set_attn_implementation()
        and len(set((getattr(model, "hf_device_map", None) or {"": 0}).values())) == 1
        and not getattr(model, "is_quantized", False)
        and "logits_to_keep" in inspect.signature(model.forward).parameters
        and not turn(model)
        and _remembers_all(model.config.get_text_config(decoder=True))
    )


def answers(
    model: Any, tokens: Any, mask: Any, options: Mapping[str, Any], room: Sequence[int]
) -> tuple[list[list[int]], list[bool]]:
    """Return the ids that `model` writes after each row of `tokens`, left-padded as the `mask`
    says, at most as many as the row has `room` for, and of which rows it has said NaN. Raises
    torch.OutOfMemoryError."""
    import torch

    with torch.inference_mode():
        rows = of_prompts(model, tokens, mask, options, room)
        with attending(model):
            left = options["max_new_tokens"] - 1
            while left and len(rows := live(rows)):
                left -= _write(model, rows, min(left, SPAN))
        return rows.written.tolist(), rows.broken.tolist()


def _write(model: Any, rows: Rows, most: int) -> int:
    """Write at most so many tokens, fewer where half of the rows have ended; return how many."""
    take = partial(step, model, rows, rows.seen(most))
    take()  # what is made at a first use cannot be recorded
    again = _record(take) if most > 1 and rows.last.is_cuda else take
    for written in range(1, most):
        if written % LOOK == 0 and _is_sparse(rows):
            return written
        again()
    return most


def _is_sparse(rows: Rows) -> bool:
    """Return whether a step without the rows that have ended pays for their removal: on a CPU each
    row costs."""
    left = len(rows) - int(rows.ended[rows.places].sum())
    if rows.last.is_cuda:
        return not left or (len(rows) > FEW and 2 * left <= len(rows))
    return 8 * left <= 7 * len(rows)


def _record(take: Callable[[], None]) -> Callable[[], None]:
    """Return what takes the step as it is recorded; the step itself where that is impossible."""
    import torch

    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            take()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # it waits for a number of the device
        return take
    replay: Callable[[], None] = graph.replay
    return replay


def _remembers_all(config: Any) -> bool:
    from transformers.cache_utils import DynamicCache, DynamicLayer

    layers = DynamicCache(config=config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
