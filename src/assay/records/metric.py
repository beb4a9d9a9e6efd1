"""What a metric is, its number over a side, and the difference between the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from assay.records.prediction import Side

Direction = Literal["higher", "lower", "neither", "unknown"]
Kind = Literal["mean", "rate", "total"]
Group = Literal["judge", "pairwise", "task", "similarity", "own", "likelihood", "diagnostic"]


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What a metric is, said where it is made and carried to whoever reads its numbers.

    `direction` says which values are better: higher or lower ones, neither (any change is a
    loss), or unknown, where the metric does not say. `kind` is "mean" of the samples' scores,
    "rate" where each score is 0 or 100, or "total", one number over all samples. `scale` holds the
    least and the greatest value, None where there are none. `meaning` is one sentence for a
    reader, and `group` the numbers that it stands among in the report.
    """

    name: str
    direction: Direction
    kind: Kind = "mean"
    scale: tuple[float, float] | None = None
    meaning: str = ""
    group: Group = "own"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number over one side: the mean of the per-sample scores with its 95% interval, or a
    total that has no per-sample part (then `low` and `high` are None).

    `n` samples have a value; `unscored` counts those without one, by cause. `value` is None where
    n is 0. `method` names the interval, and `clusters` counts what the n samples belong to, None
    where that is not known.
    """

    name: str
    side: Side
    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    unscored: Mapping[str, int] = field(default_factory=dict)
    method: str = ""
    clusters: int | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidate minus baseline over the `n` samples that both have a score for, with the 95%
    interval of the paired difference, and on how many the candidate was better, equal, worse
    (higher, equal, lower where the metric's `direction` is neither or unknown).

    `detectable` is the minimum detectable effect: the smallest true difference that `n` such pairs
    show in four runs of five (5% two-sided, power 80%); None over the samples of one tag, where it
    is not looked for. `p` is the least alpha at which the interval of confidence 1 - alpha leaves
    out 0; `method` and `clusters` are as of Metric.
    """

    name: str
    n: int
    difference: float
    low: float
    high: float
    better: int
    equal: int
    worse: int
    detectable: float | None
    direction: Direction = "unknown"
    p: float | None = None
    method: str = ""
    clusters: int | None = None
