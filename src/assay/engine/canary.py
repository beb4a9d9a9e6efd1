"""What a few prompts show of an adapter before all are asked: that it acts.

Who answers with it has to say something else than the base does. Where it does not, the adapter's
own weights say whose fault that is: those of a training that changed nothing change nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.errors import StageError
from assay.llamafactory.prompts import Coder
from assay.model import joined
from assay.model.adapter import is_blank

_TEXTS = ("Who are you?", "1, 2, 3,", "The capital of France is", "def main():")


def texts(coder: Coder) -> list[list[int]]:
    """Return the token ids of a few texts of different lengths, without those that the vocabulary
    or the model has no word of."""
    encode = coder.reading.tokenizer.encode
    found = (list(encode(text, add_special_tokens=False)) for text in _TEXTS)
    return [ids for ids in found if ids and coder.reading.unknown.isdisjoint(ids)]


def logits(model: Any, coder: Coder) -> list[Any]:
    """Return what a model says after each of a few texts: a number for each word it knows."""
    import torch

    found = []
    model.eval()
    with torch.inference_mode():
        for ids in texts(coder):
            said = model(input_ids=torch.tensor([ids], device=model.device)).logits
            found.append(said[0, -1].float().cpu())
    return found


def check(adapters: Sequence[str], base: Sequence[Any], tuned: Sequence[Any]) -> None:
    """Raise StageError, as `ignored`, where the logits with the adapters are those without them."""
    if base and all(before.equal(after) for before, after in zip(base, tuned, strict=True)):
        ignored(adapters, f"on {len(base)} prompts its logits are the very ones of its base")


def ignored(adapters: Sequence[str], seen: str) -> None:
    """Raise StageError for an adapter, or several on top of each other, that change nothing, as was
    `seen`, though their own weights would. Of one whose training has changed nothing that is only
    said: its base's answers are what it has to give."""
    adapter = joined(adapters)
    if all(is_blank(Path(folder)) for folder in adapters):
        told = f"the adapter {adapter} changes nothing, by its own weights: every lora_B is 0"
        print(f"assay: {told}; its answers are its base's", file=sys.stderr, flush=True)
        return
    raise StageError(
        f"the adapter {adapter} changes nothing: {seen}, though its own weights are not 0",
        "It was ignored, or is too small for the precision: try another generate.engine, or "
        "generate.llamafactory.infer_dtype: float32",
    )
