"""Prompts and the answers that are being written after them, a row each, in tensors that stay in
one place: a step changes them, and always does the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

PREFILL = {"cuda": 8192, "cpu": 1024}
"""How many tokens of prompts are read at once: of more a CPU's caches hold nothing."""
_MULTIPLE = 16  # a place of a mask that is no multiple of it has torch copy the mask


Layers = list[tuple[Any, Any]]
"""The keys and values of each layer, [row, head, place, size]."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """`layers` is what the model remembers; `mask` what of it a token
    sees, `last` and `position` the token that is read next, and `place` where it goes. Of
    all the rows there were `written` is what they wrote, at most `room` tokens each, `at` where the
    next goes, and whether they have `ended`, or are `broken`; those that are left are at `places`
    of them. Ids that end an answer are `ends`, and `pad` stands after them. `width` tokens are of
    the prompts."""

    layers: Layers
    mask: Any
    last: Any
    position: Any
    place: Any
    written: Any
    room: Any
    at: Any
    ended: Any
    broken: Any
    places: Any
    ends: Any
    pad: int
    width: int

    def __len__(self) -> int:
        return len(self.places)

    def seen(self, more: int) -> int:
        """Return how many places hold a token when so `more` are written."""
        return _rounded(int(self.place) + more)


@dataclass(frozen=True, kw_only=True)
class Recall:
    """The cache of a step: what the rows' `layers` have in the first `seen` places."""

    rows: Rows
    seen: int

    def update(self, keys: Any, values: Any, layer_idx: int, *_more: Any) -> tuple[Any, Any]:
        """Add a token's keys and values to a layer; return those of all tokens."""
        kept_keys, kept_values = self.rows.layers[layer_idx]
        kept_keys.index_copy_(2, self.rows.place, keys)
        kept_values.index_copy_(2, self.rows.place, values)
        return kept_keys[:, :, : self.seen], kept_values[:, :, : self.seen]

    def get_seq_length(self, *_more: Any) -> int:
        """Return how many places stand before the token; some models ask, though it has its own."""
        return int(self.rows.place)


def of_prompts(
    model: Any, tokens: Any, mask: Any, options: Mapping[str, Any], room: Sequence[int]
) -> Rows:
    """Have `model` read the prompts, and write the first token after each."""
    import torch

    count, width = tokens.shape
    new, pad, device = options["max_new_tokens"], options["pad_token_id"], tokens.device
    most = _rounded(width + new)
    logits, layers = _read(model, tokens, mask, most)
    hidden = torch.full((count, 1, 1, most), -torch.inf, dtype=model.dtype, device=device)
    rows = Rows(
        layers=layers,
        mask=hidden,
        last=tokens[:, -1:].clone(),
        position=mask.sum(1, keepdim=True) - 1,
        place=torch.tensor([width], device=device),
        written=torch.full((count, new), pad, device=device),
        room=torch.tensor(room, device=device),
        at=torch.tensor([0], device=device),
        ended=torch.zeros(count, dtype=torch.bool, device=device),
        broken=torch.zeros(count, dtype=torch.bool, device=device),
        places=torch.arange(count, device=device),
        ends=torch.tensor(options["eos_token_id"], device=device),
        pad=pad,
        width=width,
    )
    hidden[:, 0, 0, :width].masked_fill_(mask.bool(), 0)
    choose(rows, logits)
    return rows


def step(model: Any, rows: Rows, seen: int) -> None:
    """Read the last token of each row and write the next."""
    rows.mask.index_fill_(3, rows.place, 0)
    said = model(
        input_ids=rows.last,
        attention_mask=rows.mask[..., :seen],
        position_ids=rows.position,
        past_key_values=Recall(rows=rows, seen=seen),
        use_cache=True,
    )
    rows.place.add_(1)
    choose(rows, said.logits[:, -1])


def choose(rows: Rows, logits: Any) -> None:
    """Write the likeliest token of each row that has not ended."""
    ended = rows.ended[rows.places]
    broken = logits.isnan().any(dim=-1) & ~ended
    chosen = logits.float().argmax(dim=-1).masked_fill(ended, rows.pad)
    ended = ended | (chosen[:, None] == rows.ends).any(dim=-1)
    ended = ended | (rows.at + 1 >= rows.room[rows.places])
    rows.broken.index_put_((rows.places,), rows.broken[rows.places] | broken)
    rows.ended.index_put_((rows.places,), ended)
    rows.written.index_put_((rows.places, rows.at), chosen)
    rows.last.copy_(chosen[:, None])
    rows.position.add_(~ended[:, None])  # one that has ended may have no place after it
    rows.at.add_(1)


def live(rows: Rows) -> Rows:
    """Return the rows without those that have ended."""
    left = (~rows.ended[rows.places]).nonzero().squeeze(1)
    if len(left) == len(rows):
        return rows
    for at, (keys, values) in enumerate(rows.layers):  # one layer at a time is there twice
        rows.layers[at] = (keys[left], values[left])
    kept = {name: getattr(rows, name)[left] for name in ("mask", "last", "position", "places")}
    return replace(rows, **kept)


def _read(model: Any, tokens: Any, mask: Any, most: int) -> tuple[Any, Layers]:
    """Return the logits after each prompt, and the layers with room for `most` places."""
    import torch

    count, width = tokens.shape
    lengths = mask.sum(1).tolist()
    logits: list[Any] = []
    layers: Layers = []
    most_read = PREFILL[tokens.device.type]
    first = 0
    while first < count:
        own = max(lengths[first:])  # of the longest that are left, which come first
        part = slice(first, first + max(1, most_read // own)), slice(width - own, width)
        said = model(
            input_ids=tokens[part],
            attention_mask=mask[part],
            position_ids=(mask[part].cumsum(-1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=1,
        )
        logits.append(said.logits[:, -1].clone())
        read = [(layer.keys, layer.values) for layer in said.past_key_values.layers]
        layers = layers or [(_room(k, count, most), _room(v, count, most)) for k, v in read]
        for pair, new in zip(layers, read, strict=True):
            for kept, added in zip(pair, new, strict=True):
                kept[part[0], :, part[1]] = added
        first = part[0].stop
    return torch.cat(logits), layers


def _room(kept: Any, rows: int, places: int) -> Any:
    return kept.new_zeros((rows, kept.shape[1], places, kept.shape[3]))


def _rounded(places: int) -> int:
    return -(-places // _MULTIPLE) * _MULTIPLE
