"""Per-sample scores to metrics with intervals, and the paired comparison of two sides.

Intervals are 95%. A mean over at most `BOOTSTRAP_MAX` samples gets the bias-corrected and
accelerated bootstrap (Efron 1987, "Better Bootstrap Confidence Intervals", JASA 82), because the
normal approximation is too narrow on small evaluations (arXiv 2503.01747); over more samples the
two agree and the normal interval is used (arXiv 2411.00640, section 2). Resampling is seeded: the
same scores give the same interval. A rate gets Wilson's interval (JASA 22, 1927), which has a
width also where nothing or everything was hit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import TYPE_CHECKING

from assay.records import Comparison, Direction, Metric, MetricSpec, Score, Side, Total

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Specs = Mapping[str, MetricSpec]
"""What each metric is, by name; one without a spec is a mean without a direction."""

_NO_SPECS: Specs = MappingProxyType({})
BOOTSTRAP_MAX = 1_000
RESAMPLES = 5_000
SEED = 20_240

_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(0.975)
# 2.80 standard errors: two-sided test at 5% with a power of 80% (arXiv 2411.00640, section 5)
_DETECTABLE = _Z + _NORMAL.inv_cdf(0.8)


@dataclass(frozen=True, kw_only=True)
class SideScores:
    """The scores of one side over `samples` samples: metric name -> one value a sample, in the
    dataset's order, NaN where unscored; and metric name -> sample's position -> cause."""

    samples: int
    values: Mapping[str, Floats]
    causes: Mapping[str, Mapping[int, str]]


def collect(positions: Mapping[str, int], rows: Iterable[Score]) -> SideScores:
    """Return the scores in `rows` as arrays; `positions` is sample id -> position.

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
    return SideScores(samples=len(positions), values=values, causes=causes)


def summarise(
    side: Side, scores: SideScores, totals: Iterable[Total], specs: Specs = _NO_SPECS
) -> list[Metric]:
    """Return one metric a name: the mean of its per-sample scores, or the total in `totals` where
    it has no per-sample part. A sample without a row counts as unscored, cause "not_scored"."""
    rates = {name for name, spec in specs.items() if spec.kind == "rate"}
    metrics = [_mean_metric(side, scores, name, name in rates) for name in scores.values]
    known = set(scores.values)
    return metrics + [
        _total_metric(side, total, scores.samples) for total in totals if total.name not in known
    ]


def compare(
    baseline: SideScores, candidate: SideScores, specs: Specs = _NO_SPECS
) -> list[Comparison]:
    """Return candidate minus baseline for each metric that both sides scored on the same two
    samples or more: one pair says nothing of its spread."""
    import numpy as np

    comparisons = []
    for name, values in candidate.values.items():
        if name not in baseline.values:
            continue
        difference = values - baseline.values[name]
        difference = difference[np.isfinite(difference)]
        if len(difference) >= 2:
            comparisons.append(_comparison(name, difference, _direction(name, specs)))
    return comparisons


def compare_with(constant: float, spec: MetricSpec, scores: SideScores) -> list[Comparison]:
    """Return the scores of a metric minus a constant, as a comparison over the samples that have
    one; none where there are fewer than two."""
    import numpy as np

    values = scores.values.get(spec.name, np.array([]))
    difference = values[np.isfinite(values)] - constant
    return [_comparison(spec.name, difference, spec.direction)] if len(difference) >= 2 else []


def interval(values: Floats) -> tuple[float, float]:
    """Return the 95% interval of the mean of `values` (at least two, finite)."""
    mean, n = float(values.mean()), len(values)
    if values.min() == values.max():
        return mean, mean
    if n > BOOTSTRAP_MAX:
        half = _Z * float(values.std(ddof=1)) / math.sqrt(n)
        return mean - half, mean + half
    return _bca(values, mean)


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


def _direction(name: str, specs: Specs) -> Direction:
    return specs[name].direction if name in specs else "unknown"


def _forget(at: int, values: dict[str, Floats], causes: dict[str, dict[int, str]]) -> None:
    for array in values.values():
        array[at] = math.nan
    for by_position in causes.values():
        by_position.pop(at, None)


def _mean_metric(side: Side, scores: SideScores, name: str, rate: bool) -> Metric:
    import numpy as np

    array = scores.values[name]
    values = array[np.isfinite(array)]
    unscored = Counter(scores.causes.get(name, {}).values())
    missing = scores.samples - len(values) - unscored.total()
    if missing:
        unscored["not_scored"] += missing
    of_mean = _wilson if rate else interval
    low, high = of_mean(values) if len(values) >= 2 else (None, None)
    return Metric(
        name=name,
        side=side,
        value=float(values.mean()) if len(values) else None,
        n=len(values),
        low=low,
        high=high,
        unscored=dict(unscored.most_common()),
    )


def _total_metric(side: Side, total: Total, samples: int) -> Metric:
    if total.value is not None and math.isfinite(total.value):
        lacking = samples - total.n
        unscored = {"not_scored": lacking} if lacking else {}
        return Metric(name=total.name, side=side, value=total.value, n=total.n, unscored=unscored)
    unscored = {"not_scored" if total.value is None else "not_finite": samples}
    return Metric(name=total.name, side=side, value=None, n=0, unscored=unscored)


def _wilson(values: Floats) -> tuple[float, float]:
    n, rate = len(values), float(values.mean()) / 100
    middle = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def _comparison(name: str, difference: Floats, direction: Direction) -> Comparison:
    low, high = interval(difference)
    gain = -difference if direction == "lower" else difference
    n = len(difference)
    return Comparison(
        name=name,
        n=n,
        difference=float(difference.mean()),
        low=low,
        high=high,
        better=int((gain > 0).sum()),
        equal=int((gain == 0).sum()),
        worse=int((gain < 0).sum()),
        detectable=_DETECTABLE * float(difference.std(ddof=1)) / math.sqrt(n),
        direction=direction,
    )


def _bca(values: Floats, mean: float) -> tuple[float, float]:
    import numpy as np

    deviations = values - mean
    deviations /= np.abs(deviations).max()
    means = _resampled_means(values)
    below = ((means < mean).mean() + (means <= mean).mean()) / 2
    edge = 1 / len(means)
    bias = _NORMAL.inv_cdf(float(np.clip(below, edge, 1 - edge)))
    # the jackknife's acceleration, which for a mean is the skewness / (6 sqrt(n))
    acceleration = float((deviations**3).sum()) / (6 * float((deviations**2).sum()) ** 1.5)
    low, high = np.quantile(means, [_level(bias, acceleration, z) for z in (-_Z, _Z)])
    return float(low), float(high)


def _level(bias: float, acceleration: float, z: float) -> float:
    return _NORMAL.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))


def _resampled_means(values: Floats) -> Floats:
    import numpy as np

    n = len(values)
    random = np.random.default_rng(SEED)
    block = max(1, 1_000_000 // n)
    means = [
        values[random.integers(0, n, size=(min(block, RESAMPLES - done), n), dtype=np.int32)].mean(
            1
        )
        for done in range(0, RESAMPLES, block)
    ]
    return np.concatenate(means)


def _ranks(values: Floats) -> Floats:
    import numpy as np

    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Floats = np.cumsum(counts) - (counts - 1) / 2
    return middle[where]
