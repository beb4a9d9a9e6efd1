"""Weights that a model's files hold and its architecture leaves: transformers and vLLM drop them,
and only warn. A configuration of fewer layers than there are is another model."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from assay.model.complete import GUESSING

# what a model computes by itself, and files of older versions hold all the same
_COMPUTED = re.compile(
    r"rotary\w*\.\w+$|inv_freq$|masked_bias$|position_ids$|position_index$|"
    r"attn\.bias$|attention\.bias$|_extra_state$"
)
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def apart(model: Any, left: Collection[str]) -> tuple[list[str], list[str]]:
    """Return which of the weights that `model` has `left` are of its own parts, without which it is
    another model, and which are of others: a head for another task, or one that guesses ahead."""
    own = {_kind(name) for name in model.state_dict()}
    computed = {_kind(name) for name, _ in model.named_buffers()} - own
    inside = {_block(name) for name in own if _block(name)}
    holders = {_outer(name) for name in own} | {_outer(_outer(name)) for name in own}
    guessing = _guessing(model.config.get_text_config())

    def is_own(name: str) -> bool:
        kind = _kind(name)
        return _block(kind) in inside or bool({_outer(kind), _outer(_outer(kind))} & holders - {""})

    real = [
        name
        for name in sorted(left)
        if not _COMPUTED.search(name)
        and _kind(name) not in computed
        and not any(number in guessing for number in map(int, _NUMBER.findall(name)[:1]))
    ]
    return [name for name in real if is_own(name)], [name for name in real if not is_own(name)]


def _guessing(config: Any) -> range:
    first = int(getattr(config, "num_hidden_layers", 0) or 0)
    counts = [getattr(config, name, 0) for name in GUESSING]
    return range(first, first + max(count for count in counts if isinstance(count, int)))


def _kind(name: str) -> str:
    """Return what a weight is in whichever layer."""
    return _NUMBER.sub("#", name)


def _block(kind: str) -> str:
    """Return the layer that a kind of weights is in, "" for none."""
    before, number, _ = kind.partition(".#.")
    return before if number else ""


def _outer(name: str) -> str:
    return name.rpartition(".")[0]
