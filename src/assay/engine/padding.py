"""Whether a model answers a prompt otherwise beside a longer one, as what is padded.

Most do not. One that does has its prompts answered beside those of the same length alone.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from assay.engine import canary
from assay.llamafactory.prompts import Coder, Prompt

_MOST = {4: 1e-3, 2: 0.2}
"""By a number's bytes, how far the likelihoods of the next word may be apart (half the sum of the
differences) for it to be rounding."""


def matters(model: Any, coder: Coder, pad: int) -> bool:
    """Return whether padding changes what a model says after a few texts, and tell it."""
    import torch

    rows = canary.texts(coder)
    if not rows:
        return False
    width = max(map(len, rows))
    tokens = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    given = {"input_ids": tokens, "attention_mask": mask}
    if "position_ids" in inspect.signature(model.forward).parameters:
        given["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.inference_mode():
        said = model(**{name: value.to(model.device) for name, value in given.items()})
    alone = torch.stack(canary.logits(model, coder)).softmax(-1)
    apart = (said.logits[:, -1].float().cpu().softmax(-1) - alone).abs().sum(-1) / 2
    found = bool((apart > _MOST.get(model.dtype.itemsize, _MOST[2])).any())
    if found:
        told = (
            "beside a longer prompt this model answers otherwise: those of one length go together"
        )
        print(f"assay: {told}", file=sys.stderr, flush=True)
    return found


def by_length(prompts: Iterable[Prompt]) -> Iterator[Sequence[Prompt]]:
    """Yield the prompts, which are in order of their length, apart where it differs."""
    yield from (list(same) for _, same in groupby(prompts, lambda prompt: len(prompt.tokens)))
