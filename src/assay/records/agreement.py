"""How far the judge agrees with people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Corrected:
    """A number as the judge gives it over a side's `n` answers, and corrected by the `labels` on
    some of them, with the 95% interval; None where these are too few."""

    n: int
    labels: int
    judge: float
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How far judge and people agree on one side: the `value`, the lower end of its 95% interval,
    and the `bar` that this must reach (0: none). None where the labels do not tell."""

    value: float | None
    low: float | None
    bar: float


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Judge against people on `n` labels of one dimension.

    `exact` and `within_one` are shares; `kappa` is Cohen's, `weighted_kappa` the same with
    quadratic weights; `spearman` is the rank correlation; `bias` is the mean of judge minus label
    with its 95% interval. None where a side does not vary, or there are too few labels. `means`
    and `rates` are each side's corrected mean, and share of scores of `pass_at` and more, and
    `mean_difference` and `rate_difference` the candidate's minus the baseline's.

    The judge of this `identity` is `admitted` where no measure of any side has a lower bound below
    its bar; else `shortfalls` says which. `sides` is side -> measure -> what it is.
    """

    n: int
    exact: float
    within_one: float
    kappa: float | None
    weighted_kappa: float | None
    spearman: float | None
    bias: float
    bias_low: float | None
    bias_high: float | None
    pass_at: float
    means: Mapping[str, Corrected]
    rates: Mapping[str, Corrected]
    mean_difference: Corrected | None = None
    rate_difference: Corrected | None = None
    identity: str = ""
    admitted: bool = False
    shortfalls: tuple[str, ...] = ()
    sides: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)
