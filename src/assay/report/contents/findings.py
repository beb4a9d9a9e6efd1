"""What the numbers say: the verdict, the cautions, and each metric over both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assay.records import Comparison, Direction, Group, Metric

Outcome = Literal[
    "better", "worse", "higher", "lower", "none", "chance", "few", "no interval", "not compared"
]
Admission = Literal["admitted", "not admitted", "not calibrated"]
Tone = Literal["better", "worse", "mixed", "none", "invalid", "alone"]


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """The verdict line, on the `primary` metric ("" for none), and what came of the others."""

    tone: Tone
    headline: str
    detail: str
    primary: str = ""


@dataclass(frozen=True, kw_only=True)
class Caution:
    """Something a reader must know before trusting the numbers; `severe` ones void them."""

    severe: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One metric over both sides. `corrected` is the p value of its difference with all that are
    tested at once, None where it is not tested. `outcome` is "higher" or "lower" where neither is
    better, "none" where the interval has 0 in it, "chance" where it has not but `corrected` is
    above 0.05, "few" where there are too few pairs to say, "no interval" for a total, "not
    compared" with one side."""

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
    corrected: float | None = None


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Both sides over the `samples` that have the `value` of a `tag`. In its `rows` a difference is
    `corrected` for all values of the tag being tested at once; what a metric means is said in the
    row over all samples."""

    tag: str
    value: str
    samples: int
    rows: tuple[MetricRow, ...]


@dataclass(frozen=True, kw_only=True)
class TagSummary:
    """A tag by its `name`: how many `values` it has over the `samples` that have one, and the
    `subsets` of those that most samples have."""

    name: str
    values: int
    samples: int
    subsets: tuple[Subset, ...]
