"""checkpoints.json: which checkpoints there were, and by what one of them was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.records import Direction, Group


@dataclass(frozen=True, kw_only=True)
class CheckpointScore:
    """One checkpoint, of `step`, on the selection samples: the mean `value` of the metric over the
    `n` that have one, with its 95% interval, the others by cause, and its own mean loss of the
    targets, `eval_loss`. `train_loss` is the last that training logged until then. None where
    there is none.

    `difference` is this one minus the chosen one, in pairs, with the interval that holds for all
    pairs of checkpoints at once, and `p` is corrected for as many; None for the chosen one itself,
    and where the two share too few samples. `barred` is why it could not be chosen, "" where it
    could.
    """

    step: int
    n: int
    value: float | None
    low: float | None = None
    high: float | None = None
    unscored: Mapping[str, int] = field(default_factory=dict)
    eval_loss: float | None = None
    train_loss: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    barred: str = ""


@dataclass(frozen=True, kw_only=True)
class Selected:
    """Which checkpoint became the model: the one of step `chosen`, of all that are `scored`, by
    `metric` (a `direction` says which values are better) on the `samples` of selection.jsonl of the
    hash `dataset_hash`. The means that were compared are over the `shared` ones, which all that
    could be chosen have a score for. `alike` are the steps that are not shown to be worse."""

    metric: str
    group: Group
    direction: Direction
    samples: int
    dataset_hash: str
    chosen: int
    shared: int
    scored: tuple[CheckpointScore, ...]
    alike: tuple[int, ...] = ()
