"""What a model makes of each target while it is evaluated.

LLaMA-Factory's own evaluation keeps sums only, and its eval_loss averages within a batch over
tokens and then over batches by their samples: it depends on which samples share a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.errors import StageError
from assay.records import Likelihood, Sample

IGNORED = -100
MEASURED = "eval_token_loss"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The token ids `labels` of a target as they were evaluated, their mean cross-entropy in nats
    and the share of them that were predicted; NaN where the model's own numbers are none."""

    labels: list[int]
    loss: float
    accuracy: float


def watch_targets(model: Any) -> tuple[list[Measured], Callable[[], None]]:
    """Return a list that gains a row for each sample that `model` is evaluated on, in order, and
    what ends that."""
    seen: list[Measured] = []

    def note(_module: Any, _arguments: Any, given: Mapping[str, Any], output: Any) -> None:
        labels = given.get("labels")
        if labels is not None:
            seen.extend(map(measure_target, output.logits, labels))

    hook = model.register_forward_hook(note, with_kwargs=True)
    return seen, hook.remove


def likelihood(sample: Sample, target: list[int], measured: Measured) -> Likelihood:
    """Return what was `measured` of a sample whose whole target has the ids `target`.

    Unscored are a blank target (no_target), one of which cutoff_len cut off some (target_cut), and
    what is not finite. Raises StageError where something else was measured.
    """
    tokens = len(measured.labels)
    if tokens > len(target) or (tokens == len(target) and measured.labels != target):
        raise StageError(
            f"id={sample.id}: LLaMA-Factory evaluated something else than the target",
            "Leave out what generate.llamafactory says of the data",
        )
    values = {"eval_loss": measured.loss, "accuracy": measured.accuracy}
    cause = "target_cut" if tokens < len(target) else ""
    if not tokens or not sample.target.strip():
        cause = "no_target"
    kept = {name: value for name, value in values.items() if not cause and math.isfinite(value)}
    unscored = {name: cause or "not_finite" for name in values if name not in kept}
    return Likelihood(id=sample.id, values=kept, unscored=unscored, tokens=tokens)


def token_loss(rows: Iterable[Likelihood]) -> float | None:
    """Return the mean loss, in nats a token, over all tokens of the scored targets; None without
    one."""
    loss, tokens = 0.0, 0
    for row in rows:
        if "eval_loss" in row.values:
            loss += row.values["eval_loss"] * row.tokens
            tokens += row.tokens
    return loss / tokens if tokens else None


def target_of(labels: Sequence[int]) -> slice:
    """Return where a model says the target, of whose tokens and those before it `labels` are: one
    place before each of the last run of labels. Templates whose answers have no end of their own
    have the ends of earlier turns labelled too."""
    places = [at for at, label in enumerate(labels[1:]) if label != IGNORED]
    first = len(places) - 1
    while first > 0 and places[first - 1] == places[first] - 1:
        first -= 1
    return slice(places[first], places[-1] + 1) if places else slice(0)


def measure_target(logits: Any, labels: Any) -> Measured:
    """Return what a model makes of the target of one sample: `logits` of each place, and `labels`
    that are IGNORED elsewhere, as tensors."""
    import torch

    said = target_of(labels.tolist())
    labels, logits = labels[1:][said], logits[said].float()
    best, predicted = logits.max(dim=-1)
    known = not best.isnan().any()
    return Measured(
        labels=labels.tolist(),
        loss=float(torch.nn.functional.cross_entropy(logits, labels)),
        accuracy=float((predicted == labels).float().mean()) if known else math.nan,
    )
