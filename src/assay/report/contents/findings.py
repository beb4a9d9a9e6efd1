"""What the numbers say: the verdict, the cautions, and each metric over both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.records import Comparison, Direction, Group, Metric

Outcome = Literal[
    "better", "worse", "higher", "lower", "none", "few", "no interval", "not compared"
]
Tone = Literal["better", "worse", "mixed", "none", "invalid", "alone"]


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """The verdict line, and one sentence on what it rests on."""

    tone: Tone
    headline: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Caution:
    """Something a reader must know before trusting the numbers; `severe` ones void them."""

    severe: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One metric over both sides. `outcome` is "higher" or "lower" where neither is better, "none"
    where no difference is shown, "few" where there are too few pairs to say, "no interval" for a
    total, "not compared" with one side."""

    name: str
    kind: Group
    meaning: str
    scale: tuple[float, float] | None
    direction: Direction
    baseline: Metric | None
    candidate: Metric | None
    difference: float | None
    comparison: Comparison | None
    outcome: Outcome
