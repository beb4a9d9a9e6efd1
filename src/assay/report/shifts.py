"""Whether a metric has moved between two runs over the same samples: Student's t of the paired
difference, over clusters where there are some.

This asks another thing than a gate, which must not miss a loss that it has not seen and so reaches
further: a trend that did would miss what any paired test sees. Where few pairs differ, the p value
is no less than the chance that they all do so in one direction (Fisher's sign flips).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.quantiles import t_outside, t_quantile
from assay.records import Comparison, Direction, MetricSpec, Side
from assay.report.kept import Pairs, differences, scored
from assay.stats import paired_difference, spec_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_CONFIDENCE = 0.975


@dataclass(frozen=True, kw_only=True)
class PairedT:
    """Now minus then of a metric over the `n` samples that both runs scored, with the 95% interval
    and the p value."""

    name: str
    direction: Direction
    n: int
    difference: float
    low: float
    high: float
    p: float


def shifts(
    pairs: Pairs, side: Side, names: Iterable[str], specs: Mapping[str, MetricSpec]
) -> list[PairedT | Comparison]:
    """Return now minus then of those metrics of one side that both runs scored on two samples or
    more, by Student's t; where all pairs differ by the same, as they are compared elsewhere."""
    each = {name: _shift(pairs, side, spec_of(name, specs)) for name in names}
    equal = [name for name, shift in each.items() if shift is None]
    return [shift for shift in each.values() if shift] + differences(pairs, side, equal, specs)


def _shift(pairs: Pairs, side: Side, spec: MetricSpec) -> PairedT | None:
    then, now, clusters = scored(pairs, side, spec.name)
    change = paired_difference(then, now)
    error, freedom = _error(change, clusters)
    if not error or not freedom:
        return None
    middle = float(change.mean())
    half = t_quantile(freedom, _CONFIDENCE) * error
    least = 2.0 ** (1 - int((_groups(change, clusters) != 0).sum()))
    return PairedT(
        name=spec.name,
        direction=spec.direction,
        n=len(change),
        difference=middle,
        low=middle - half,
        high=middle + half,
        p=min(1.0, max(t_outside(freedom, abs(middle) / error), least)),
    )


def _error(change: Floats, clusters: NDArray[np.int64] | None) -> tuple[float, int]:
    """Return the standard error of a mean, over clusters where there are some, and its degrees of
    freedom."""
    if len(change) < 2:
        return 0.0, 0
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
