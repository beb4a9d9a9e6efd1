"""Whether a metric has moved between two runs over the same samples: Student's t of the paired
difference, over clusters where there are some.

This asks another thing than a gate, which must not miss a loss that it has not seen and so reaches
further: a trend that did would miss what any paired test sees. Where few pairs differ, the p value
is no less than the chance that they all do so in one direction (Fisher's sign flips).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.quantiles import t_outside, t_quantile
from assay.records import Comparison, MetricSpec, Side
from assay.report.kept import Pairs, differences
from assay.stats import paired_difference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CONFIDENCE = 0.975


def shifts(
    pairs: Pairs, side: Side, names: Iterable[str], specs: Mapping[str, MetricSpec]
) -> list[Comparison]:
    """Return now minus then of those metrics of one side that both runs scored, with the interval
    and the p value of Student's t; where all pairs differ by the same, those of a comparison."""
    return [_shift(each, pairs, side) for each in differences(pairs, side, names, specs)]


def _shift(compared: Comparison, pairs: Pairs, side: Side) -> Comparison:
    import numpy as np

    then, now = pairs.then[side].values[compared.name], pairs.now[side].values[compared.name]
    both = np.isfinite(then) & np.isfinite(now)
    change = paired_difference(then[both], now[both])
    every = pairs.now[side].clusters
    clusters = None if every is None else every[both]
    error, freedom = _error(change, clusters)
    if not error or not freedom:
        return compared
    half = t_quantile(freedom, _CONFIDENCE) * error
    chance = t_outside(freedom, abs(compared.difference) / error)
    changed = _groups(change, clusters)
    least = 2.0 ** (1 - int((changed != 0).sum()))
    return replace(
        compared,
        low=compared.difference - half,
        high=compared.difference + half,
        p=min(1.0, max(chance, least)),
        method="t",
    )


def _error(change: Floats, clusters: NDArray[np.int64] | None) -> tuple[float, int]:
    """Return the standard error of a mean, over clusters where there are some, and its degrees of
    freedom."""
    groups = _groups(change - change.mean(), clusters)
    k = len(groups)
    if k < 2:
        return 0.0, 0
    return math.sqrt(k / (k - 1) * float((groups**2).sum())) / len(change), k - 1


def _groups(values: Floats, clusters: NDArray[np.int64] | None) -> Floats:
    """Return the sum of each cluster."""
    import numpy as np

    if clusters is None:
        return values
    _, where = np.unique(clusters, return_inverse=True)
    return np.asarray(np.bincount(where, weights=values), dtype=np.float64)
