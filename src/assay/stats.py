"""Per-sample scores to metrics with intervals, and the paired comparison of two sides.

Intervals are 95% (assay.intervals). What a metric is (which way is better, how far it can go) is
handed in as `specs`, by name: nothing here knows a metric by its name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from assay.intervals import Interval, detectable, interval, wilson
from assay.records import Comparison, Metric, MetricSpec, Score, Side, Total

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]
    Positions = NDArray[np.intp]

Specs = Mapping[str, MetricSpec]
"""What each metric is, by name; one without a spec is a mean without a direction or a scale."""

_NO_SPECS: Specs = MappingProxyType({})
_EQUAL: Mapping[str, float] = MappingProxyType({})
_ROUNDING = 1e-12  # of a score: a sum in another order differs by less


@dataclass(frozen=True, kw_only=True)
class SideScores:
    """The scores of one side over `samples` samples: metric name -> one value a sample, in the
    dataset's order, NaN where unscored; and metric name -> sample's position -> cause. `clusters`
    has the number of each sample's cluster, in the same order; None where each is its own."""

    samples: int
    values: Mapping[str, Floats]
    causes: Mapping[str, Mapping[int, str]]
    clusters: ClusterNumbers | None = None


def collect(
    positions: Mapping[str, int], rows: Iterable[Score], clusters: ClusterNumbers | None = None
) -> SideScores:
    """Return the scores in `rows` as arrays; `positions` is sample id -> position, and `clusters`
    the number of each position's cluster, None where each is its own.

    Where an id has several rows the last one counts. A value that is not finite is unscored.
    Raises KeyError for an id that has no position.
    """
    import numpy as np

    values: dict[str, Floats] = {}
    causes: dict[str, dict[int, str]] = {}
    seen = bytearray(len(positions))
    for row in rows:
        at = positions[row.id]
        if seen[at]:
            _forget(at, values, causes)
        seen[at] = 1
        for name, value in row.values.items():
            if name not in values:
                values[name] = np.full(len(positions), np.nan)
            if math.isfinite(value):
                values[name][at] = value
            else:
                causes.setdefault(name, {})[at] = "not_finite"
        for name, cause in row.unscored.items():
            causes.setdefault(name, {})[at] = cause
    for name in causes:
        values.setdefault(name, np.full(len(positions), np.nan))
    return SideScores(samples=len(positions), values=values, causes=causes, clusters=clusters)


def joined(parts: Sequence[SideScores]) -> SideScores:
    """Return the scores of one side, of at least one scorer, as one; of a name that several give
    the last one's count."""
    values = {name: array for part in parts for name, array in part.values.items()}
    causes = {name: causes for part in parts for name, causes in part.causes.items()}
    return replace(parts[0], values=values, causes=causes)


def split(scores: SideScores, groups: Sequence[Positions]) -> list[SideScores]:
    """Return the scores of each group of samples, which are given by their positions and have none
    in common."""
    import numpy as np

    number, place = np.full((2, scores.samples), -1)
    for group, at in enumerate(groups):
        number[at], place[at] = group, np.arange(len(at))
    causes = _split_causes(scores, number.tolist(), place.tolist(), len(groups))
    return [
        SideScores(
            samples=len(at),
            values={name: array[at] for name, array in scores.values.items()},
            causes=of_group,
            clusters=None if scores.clusters is None else scores.clusters[at],
        )
        for at, of_group in zip(groups, causes, strict=True)
    ]


def _split_causes(
    scores: SideScores, number: Sequence[int], place: Sequence[int], groups: int
) -> list[dict[str, dict[int, str]]]:
    causes: list[dict[str, dict[int, str]]] = [
        {name: {} for name in scores.causes} for _ in range(groups)
    ]
    for name, by_position in scores.causes.items():
        for at, cause in by_position.items():
            if number[at] >= 0:
                causes[number[at]][name][place[at]] = cause
    return causes


def summarise(
    side: Side, scores: SideScores, totals: Iterable[Total], specs: Specs = _NO_SPECS
) -> list[Metric]:
    """Return one metric a name: the mean of its per-sample scores, or the total in `totals` where
    it has no per-sample part. A sample without a row counts as unscored, cause "not_scored"."""
    metrics = [_mean_metric(side, scores, spec_of(name, specs)) for name in scores.values]
    names = set(scores.values)
    return metrics + [
        _total_metric(side, total, scores.samples) for total in totals if total.name not in names
    ]


def compare(
    baseline: SideScores,
    candidate: SideScores,
    specs: Specs = _NO_SPECS,
    *,
    level: float = 0.95,
    detect: bool = True,
) -> list[Comparison]:
    """Return candidate minus baseline for each metric that both sides scored on the same two
    samples or more: one pair says nothing of its spread. `level` is the confidence of the
    intervals. What is detectable, which takes as long as all the rest, is left out without
    `detect`.

    Of a metric that has no scale, the range of the scores seen on either side counts as one;
    where that has no width either, equal differences have an interval without one.
    """
    import numpy as np

    comparisons = []
    for name, values in candidate.values.items():
        if name not in baseline.values:
            continue
        before = baseline.values[name]
        both = np.isfinite(values) & np.isfinite(before)
        if both.sum() >= 2:
            spec = spec_of(name, specs)
            reach = _reach(spec.scale, before[both], values[both])
            difference = paired_difference(before[both], values[both])
            around = (-reach, reach) if reach else None
            clusters = _where(candidate.clusters, both)
            comparisons.append(_comparison(spec, difference, around, clusters, level, detect))
    return comparisons


def compare_with(
    constant: float, spec: MetricSpec, scores: SideScores, *, detect: bool = True
) -> list[Comparison]:
    """Return the scores of a metric minus a constant, as a comparison over the samples that have
    one; none where there are fewer than two."""
    import numpy as np

    values = scores.values.get(spec.name, np.array([]))
    scored = np.isfinite(values)
    if scored.sum() < 2:
        return []
    around = (spec.scale[0] - constant, spec.scale[1] - constant) if spec.scale else None
    clusters = _where(scores.clusters, scored)
    return [_comparison(spec, values[scored] - constant, around, clusters, detect=detect)]


def paired_difference(before: Floats, now: Floats) -> Floats:
    """Return `now` minus `before`, 0 where that is no more than how the two were rounded: pairs
    that did not change say nothing of those that may."""
    import numpy as np

    difference: Floats = now - before
    size = np.maximum(np.abs(before), np.abs(now))
    difference[np.abs(difference) <= _ROUNDING * size] = 0.0
    return difference


def difference_interval(
    before: tuple[float, float, float], now: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the 95% interval of `now` minus `before`, two independent estimates given as (value,
    low, high): MOVER (Zou and Donner 2008, Statistics in Medicine 27). Over the same samples it is
    wider than a paired one."""
    (was, was_low, was_high), (is_, is_low, is_high) = before, now
    difference = is_ - was
    return (
        difference - math.hypot(is_ - is_low, was_high - was),
        difference + math.hypot(is_high - is_, was - was_low),
    )


def holm(values: Mapping[str, float], weights: Mapping[str, float] = _EQUAL) -> dict[str, float]:
    """Return each p value corrected for all of them being tested at once: some true hypothesis is
    called false in at most alpha of all families (Holm 1979, "A Simple Sequentially Rejective
    Multiple Test Procedure", Scandinavian Journal of Statistics 6). `weights`, by name, are above
    0, and 1 where there is none: what weighs more is held to more of alpha."""
    heavy = {name: weights.get(name, 1.0) for name in values}
    corrected: dict[str, float] = {}
    greatest, left = 0.0, math.fsum(heavy.values())
    for name in sorted(values, key=lambda name: values[name] / heavy[name]):
        greatest = max(greatest, min(1.0, left / heavy[name] * values[name]))
        corrected[name] = greatest
        left -= heavy[name]
    return corrected


def rank_correlation(left: Floats, right: Floats) -> float | None:
    """Return Spearman's rho, tied values at their mean rank; None where a side is constant or
    there are fewer than three pairs."""
    import numpy as np

    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def weighted_kappa(left: Floats, right: Floats) -> float | None:
    """Return Cohen's kappa with quadratic weights, None where chance alone would agree on
    everything."""
    # over all pairs: E(a-b)^2 = var(a) + var(b) + (mean a - mean b)^2
    chance = float(left.var() + right.var() + (left.mean() - right.mean()) ** 2)
    return None if chance == 0 else 1 - float(((left - right) ** 2).mean()) / chance


def spec_of(name: str, specs: Specs) -> MetricSpec:
    """Return what a metric is; nothing is known of one that `specs` lacks."""
    return specs.get(name) or MetricSpec(name=name, direction="unknown")


def _forget(at: int, values: dict[str, Floats], causes: dict[str, dict[int, str]]) -> None:
    for array in values.values():
        array[at] = math.nan
    for by_position in causes.values():
        by_position.pop(at, None)


def _mean_metric(side: Side, scores: SideScores, spec: MetricSpec) -> Metric:
    import numpy as np

    name = spec.name
    array = scores.values[name]
    scored = np.isfinite(array)
    values, clusters = array[scored], _where(scores.clusters, scored)
    unscored = Counter(scores.causes.get(name, {}).values())
    missing = scores.samples - len(values) - unscored.total()
    if missing:
        unscored["not_scored"] += missing
    around = _interval(spec, values, clusters) if len(values) >= 2 else None
    return Metric(
        name=name,
        side=side,
        value=float(values.mean()) if len(values) else None,
        n=len(values),
        low=around.low if around else None,
        high=around.high if around else None,
        unscored=dict(unscored.most_common()),
        method=around.method if around else "",
        clusters=_count(clusters),
    )


def _interval(spec: MetricSpec, values: Floats, clusters: ClusterNumbers | None) -> Interval | None:
    if spec.kind != "rate" or clusters is not None:
        return _within(spec.scale, interval(values, spec.scale, clusters=clusters))
    low, high = wilson(float(values.mean()) / 100, len(values))
    return Interval(low=100 * low, high=100 * high, method="Wilson")


def _within(scale: tuple[float, float] | None, around: Interval) -> Interval:
    """Return an interval without what lies off the scale, where no mean can be."""
    if scale is None:
        return around
    return replace(around, low=max(scale[0], around.low), high=min(scale[1], around.high))


def _where(clusters: ClusterNumbers | None, scored: NDArray[np.bool_]) -> ClusterNumbers | None:
    """Return the clusters of what is `scored`, None where each is alone in its own."""
    kept = None if clusters is None else clusters[scored]
    return None if _count(kept) == scored.sum() else kept


def _count(clusters: ClusterNumbers | None) -> int | None:
    """Return how many clusters there are; None where nothing clusters."""
    return None if clusters is None else len(set(clusters.tolist()))


def _total_metric(side: Side, total: Total, samples: int) -> Metric:
    if total.value is not None and math.isfinite(total.value):
        lacking = samples - total.n
        unscored = {"not_scored": lacking} if lacking else {}
        return Metric(name=total.name, side=side, value=total.value, n=total.n, unscored=unscored)
    unscored = {"not_scored" if total.value is None else "not_finite": samples}
    return Metric(name=total.name, side=side, value=None, n=0, unscored=unscored)


def _reach(scale: tuple[float, float] | None, before: Floats, now: Floats) -> float:
    """Return how far apart two scores can lie: by the scale, else by those that were seen."""
    if scale:
        return scale[1] - scale[0]
    low, high = float(min(before.min(), now.min())), float(max(before.max(), now.max()))
    return high - low if high - low > _ROUNDING * max(abs(low), abs(high)) else 0.0


def _comparison(
    spec: MetricSpec,
    difference: Floats,
    scale: tuple[float, float] | None,
    clusters: ClusterNumbers | None,
    level: float = 0.95,
    detect: bool = True,
) -> Comparison:
    import numpy as np

    all_or_nothing = spec.kind == "rate" or spec.group == "pairwise"
    rates = bool(
        all_or_nothing
        and scale
        and scale[0] == -scale[1]
        and set(np.unique(difference)) <= {*scale, 0.0}
    )
    around = interval(difference, scale, clusters=clusters, rates=rates, level=level)
    around = _within(scale if spec.scale else None, around)
    gain = -difference if spec.direction == "lower" else difference
    n = len(difference)
    return Comparison(
        name=spec.name,
        n=n,
        difference=float(difference.mean()),
        low=around.low,
        high=around.high,
        better=int((gain > 0).sum()),
        equal=int((gain == 0).sum()),
        worse=int((gain < 0).sum()),
        detectable=detectable(difference, scale, clusters=clusters, rates=rates)
        if detect
        else None,
        direction=spec.direction,
        p=around.p,
        method=around.method,
        clusters=_count(clusters),
    )


def _ranks(values: Floats) -> Floats:
    import numpy as np

    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Floats = np.cumsum(counts) - (counts - 1) / 2
    return middle[where]
