"""Answers of transformers' loop that each end where the model has no place for more.

The loop has one bound for a whole batch, by which one prompt at the context's edge would cut the
answers to all others; and it goes on with the rows that have ended until the last has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from assay.llamafactory.prompts import Prompt


def apart(model: Any, batch: Sequence[Prompt], new: int, context: int) -> Iterator[list[Prompt]]:
    """Yield the batch, the longest first, whole, but for what padding would have `model` answer
    otherwise: what passes `turn` while it is answered, each length by itself, and what is beyond
    it; and, where its mask has places for the `context` alone, as GPT-Neo's has, each length that
    leaves less than `new` tokens."""
    import torch

    after = turn(model)
    masks = (buffer for buffer in model.buffers() if buffer.dtype == torch.bool)
    most = context if any(mask.shape[-1:] == (context,) for mask in masks) else 0

    def kind(prompt: Prompt) -> tuple[bool, int]:
        length = len(prompt.tokens)
        passes = length <= after < length + new or (most and length + new > most)
        return bool(after) and length > after, length if passes else 0

    yield from (list(group) for _, group in groupby(batch, kind))


def turn(model: Any) -> int:
    """Return how many tokens have the places of all change (LongRoPE, which Phi has), 0 for none:
    of a batch the longest has them change for all."""
    config = model.config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return 0
    named = "original_max_position_embeddings"
    return int(rope.get(named) or getattr(config, named, 0) or config.max_position_embeddings)


@contextmanager
def within(model: Any, mask: Any, room: Sequence[int]) -> Iterator[list[Any]]:
    """Give what ends each row of the `mask` once it has as many tokens as it has `room` for; while
    the body runs, `model` reads none at a place beyond the last that any of them may have."""
    import torch

    if len(set(room)) == 1:
        yield []
        return
    most = torch.tensor(room, device=mask.device)
    width, last = mask.shape[1], int((mask.sum(1) + most).max()) - 1

    def ended(tokens: Any, _scores: Any, **_more: Any) -> Any:
        return most <= tokens.shape[1] - width

    def clamp(_module: Any, given: Any, named: Mapping[str, Any]) -> Any:
        places = named.get("position_ids")
        return (
            None if places is None else (given, {**named, "position_ids": places.clamp(max=last)})
        )

    # an adapter that is not merged has its base answer
    asked = model.get_base_model() if hasattr(model, "get_base_model") else model
    hook = asked.register_forward_pre_hook(clamp, with_kwargs=True)
    try:
        yield [ended]
    finally:
        hook.remove()
