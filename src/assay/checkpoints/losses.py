"""How likely a loaded model finds the targets: what LLaMA-Factory's evaluation says, without
loading a model for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from assay.llamafactory.loss import IGNORED, likelihood, measure_target
from assay.llamafactory.memory import full_alike
from assay.llamafactory.prompts import Coder, pair
from assay.records import Likelihood, Sample


class _Encoded(NamedTuple):
    sample: Sample
    prompt: list[int]
    target: list[int]
    whole: list[int]
    """The target before any truncation."""


def likelihoods(
    coder: Coder, samples: Sequence[Sample], cutoff_len: int, size: int
) -> list[Likelihood]:
    """Return the likelihood of each sample's target, in their order, `size` at once and fewer where
    the memory is too small for them. Raises InputError as `prompts.pair`."""
    import torch

    rows = [_row(sample, coder, cutoff_len) for sample in samples]
    longest_first = sorted(rows, key=lambda row: -len(row.prompt) - len(row.target))
    found: dict[str, Likelihood] = {}
    while len(found) < len(rows):
        batch = longest_first[len(found) : len(found) + size]
        try:
            with full_alike():
                found |= {row.id: row for row in _measured(coder, batch)}
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size = max(1, size // 2)
    return [found[sample.id] for sample in samples]


def _row(sample: Sample, coder: Coder, cutoff_len: int) -> _Encoded:
    from llamafactory.data.processor.processor_utils import infer_seqlen

    prompt, target = pair(sample, coder.reading)
    prompt_len, target_len = infer_seqlen(len(prompt), len(target), cutoff_len)
    return _Encoded(sample, prompt[:prompt_len], target[:target_len], target)


def _measured(coder: Coder, batch: Sequence[_Encoded]) -> list[Likelihood]:
    import torch

    model: Any = coder.loaded
    width = max(len(row.prompt) + len(row.target) for row in batch)
    pad = coder.reading.tokenizer.pad_token_id
    ids, labels, mask = [], [], []
    for row in batch:
        own, rest = len(row.prompt) + len(row.target), width - len(row.prompt) - len(row.target)
        ids.append(row.prompt + row.target + [pad] * rest)
        labels.append([IGNORED] * len(row.prompt) + row.target + [IGNORED] * rest)
        mask.append([1] * own + [0] * rest)
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
        ).logits
        wanted = torch.tensor(labels, device=logits.device)
        return [
            likelihood(row.sample, row.whole, measure_target(logits[place], wanted[place]))
            for place, row in enumerate(batch)
        ]
