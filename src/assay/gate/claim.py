"""A bound and what was seen of its metric, as one question: does this quantity exceed its limit?"""

from __future__ import annotations

from dataclasses import dataclass

from assay.gate.policy import BASELINE, Bound
from assay.records import Comparison, Metric

_WAYS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "neither": "any change is a loss",
    "unknown": "which way is better is not known",
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A quantity (a loss, or a mean, whose sign is turned for a floor) is at most `limit`.

    By its 95% interval over `n` samples it is `value`, from `low` to `high`; the limit lies from
    `least` to `most` where it is a part of the baseline. `equal` is what `value` would be for a
    candidate just as good as the baseline, None without one. `both_ways` says that a change either
    way counts, and `still` which share of the pairs does not differ: where all are, the interval
    narrows with n and not with its root, and the faster the more. `seen` is the estimate in words,
    and `figures` the estimate with its interval and the bound, as the metric has them.
    """

    value: float
    low: float
    high: float
    limit: float
    least: float
    most: float
    n: int
    seen: str
    figures: tuple[float, float, float, float]
    equal: float | None = 0.0
    both_ways: bool = False
    still: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a run has shown of one metric; None for what it has not. `baseline` is of what the
    comparison is `against`."""

    baseline: Metric | None
    candidate: Metric | None
    compared: Comparison | None
    against: str = BASELINE


def of_drop(bound: Bound, sight: Sight) -> Claim | None:
    """Return that the loss is at most `max_drop`; None where nothing was compared, or that is a
    percentage of a baseline that has no interval.

    A percentage is of the baseline's mean, which is itself an estimate: GO needs the loss to be
    within the percentage of the least that this mean can be, NO_GO beyond that of the greatest.
    The two margins add up, which is enough however the loss and the baseline go together.
    """
    compared, limits = sight.compared, _limits(bound, sight.baseline)
    if compared is None or limits is None:
        return None
    limit, least, most = limits
    value, low, high = _loss(compared)
    of_what = ""
    if bound.percent is not None:
        part = f"{bound.max_drop} of the {sight.against}"
        of_what = f"; {part} is {limit:.3g} ({least:.3g} to {most:.3g})"
    return Claim(
        value=value,
        low=low,
        high=high,
        limit=limit,
        least=least,
        most=most,
        n=compared.n,
        seen=f"difference {compared.difference:+.3g} ({compared.low:+.3g} to {compared.high:+.3g}, "
        f"95%, {compared.n:,} pairs; {_WAYS[compared.direction]}{of_what})",
        figures=(compared.difference, compared.low, compared.high, limit),
        both_ways=compared.direction == "neither",
        still=compared.equal / compared.n,
    )


def of_mean(limit: float, sign: int, sight: Sight) -> Claim | None:
    """Return that the candidate's mean is at most `limit` (`sign` 1), or at least (`sign` -1);
    None where it has no interval."""
    metric = sight.candidate
    if metric is None or metric.value is None or metric.low is None or metric.high is None:
        return None
    low, high = sorted((sign * metric.low, sign * metric.high))
    before = sight.baseline.value if sight.baseline else None
    return Claim(
        value=sign * metric.value,
        low=low,
        high=high,
        limit=sign * limit,
        least=sign * limit,
        most=sign * limit,
        n=metric.n,
        seen=f"mean {metric.value:.4g} ({metric.low:.4g} to {metric.high:.4g}, 95%, "
        f"{metric.n:,} samples)",
        figures=(metric.value, metric.low, metric.high, limit),
        equal=None if before is None else sign * before,
    )


def _limits(bound: Bound, baseline: Metric | None) -> tuple[float, float, float] | None:
    """Return what may be lost, and the least and the most that this can be."""
    part = bound.percent
    if part is None:
        limit = float(bound.max_drop or 0)
        return limit, limit, limit
    if baseline is None or baseline.value is None or baseline.low is None or baseline.high is None:
        return None
    least, most = sorted(part * size for size in _sizes(baseline.low, baseline.high))
    return part * abs(baseline.value), least, most


def _loss(compared: Comparison) -> tuple[float, float, float]:
    """Return what was lost, and the least and the most by the interval; of a metric of which
    neither way is better, any change is a loss."""
    if compared.direction == "lower":
        return compared.difference, compared.low, compared.high
    if compared.direction == "higher":
        return -compared.difference, -compared.high, -compared.low
    return abs(compared.difference), *_sizes(compared.low, compared.high)


def _sizes(low: float, high: float) -> tuple[float, float]:
    """Return the least and the greatest size of a number between the two."""
    least = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return least, max(abs(low), abs(high))
