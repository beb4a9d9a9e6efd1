"""A model whose logits are NaN says nothing, though a token can be drawn of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def watch_numbers(model: Any) -> Iterator[Callable[[int], list[bool]]]:
    """Give a function that says of each of so many rows whether `model` has said NaN of it, at the
    place of a token that was drawn, while the body ran."""
    import torch

    seen: list[torch.Tensor] = []

    def note(_module: Any, _given: Any, output: Any) -> None:
        # kept on the device: to look at each step would wait for it
        said = output.logits[:, -1].isnan().any(dim=-1)
        seen[:] = [seen[0] | said if seen else said]

    def broken(rows: int) -> list[bool]:
        found: list[bool] = seen[0].tolist() if seen else [False] * rows
        return found

    # an adapter that is not merged has its base answer
    asked = model.get_base_model() if hasattr(model, "get_base_model") else model
    hook = asked.register_forward_hook(note)
    try:
        yield broken
    finally:
        hook.remove()
