"""The paired comparison of two sides, and that of two independent estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.intervals import combined, detectable, interval
from assay.records import Comparison, MetricSpec
from assay.stats.clusters import clusters_of, count_clusters
from assay.stats.scores import SideScores
from assay.stats.specs import NO_SPECS, ROUNDING, Specs, reach_of, spec_of, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]


def compare(
    baseline: SideScores,
    candidate: SideScores,
    specs: Specs = NO_SPECS,
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
            reach = reach_of(spec.scale, before[both], values[both])
            difference = paired_difference(before[both], values[both])
            around = (-reach, reach) if reach else None
            clusters = clusters_of(candidate.clusters, both)
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
    clusters = clusters_of(scores.clusters, scored)
    return [_comparison(spec, values[scored] - constant, around, clusters, detect=detect)]


def paired_difference(before: Floats, now: Floats) -> Floats:
    """Return `now` minus `before`, 0 where that is no more than how the two were rounded: pairs
    that did not change say nothing of those that may."""
    import numpy as np

    difference: Floats = now - before
    size = np.maximum(np.abs(before), np.abs(now))
    difference[np.abs(difference) <= ROUNDING * size] = 0.0
    return difference


def difference_interval(
    before: tuple[float, float, float], now: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the 95% interval of `now` minus `before`, two independent estimates given as (value,
    low, high): MOVER (Zou and Donner 2008, Statistics in Medicine 27). Over the same samples it is
    wider than a paired one."""
    (was, was_low, was_high), (is_, is_low, is_high) = before, now
    return combined(is_ - was, (is_ - is_low, was_high - was), (is_high - is_, was - was_low))


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
    around = within(scale if spec.scale else None, around)
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
        clusters=count_clusters(clusters),
    )
