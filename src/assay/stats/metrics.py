"""Per-sample scores to one metric a name, with its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from assay.intervals import Interval, interval, wilson
from assay.records import Metric, MetricSpec, Side, Total
from assay.stats.clusters import clusters_of, count_clusters
from assay.stats.scores import SideScores
from assay.stats.specs import NO_SPECS, Specs, spec_of, within

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]


def summarise(
    side: Side, scores: SideScores, totals: Iterable[Total], specs: Specs = NO_SPECS
) -> list[Metric]:
    """Return one metric a name: the mean of its per-sample scores, or the total in `totals` where
    it has no per-sample part. A sample without a row counts as unscored, cause "not_scored"."""
    metrics = [_mean_metric(side, scores, spec_of(name, specs)) for name in scores.values]
    names = set(scores.values)
    return metrics + [
        _total_metric(side, total, scores.samples) for total in totals if total.name not in names
    ]


def _mean_metric(side: Side, scores: SideScores, spec: MetricSpec) -> Metric:
    import numpy as np

    name = spec.name
    array = scores.values[name]
    scored = np.isfinite(array)
    values, clusters = array[scored], clusters_of(scores.clusters, scored)
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
        clusters=count_clusters(clusters),
    )


def _interval(spec: MetricSpec, values: Floats, clusters: ClusterNumbers | None) -> Interval | None:
    if spec.kind != "rate" or clusters is not None:
        return within(spec.scale, interval(values, spec.scale, clusters=clusters))
    low, high = wilson(float(values.mean()) / 100, len(values))
    return Interval(low=100 * low, high=100 * high, method="Wilson")


def _total_metric(side: Side, total: Total, samples: int) -> Metric:
    if total.value is not None and math.isfinite(total.value):
        lacking = samples - total.n
        unscored = {"not_scored": lacking} if lacking else {}
        return Metric(name=total.name, side=side, value=total.value, n=total.n, unscored=unscored)
    unscored = {"not_scored" if total.value is None else "not_finite": samples}
    return Metric(name=total.name, side=side, value=None, n=0, unscored=unscored)
