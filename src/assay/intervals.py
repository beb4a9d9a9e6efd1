"""The 95% interval of a mean of scores, wide enough for few samples and for rare large changes.

Three intervals of the mean are taken together, and the widest end of each counts:

- Student's t, which is right where scores are about normal;
- the bias-corrected and accelerated bootstrap (Efron 1987, "Better Bootstrap Confidence Intervals",
  JASA 82) with seeded resamples, and over more than `BOOTSTRAP_MAX` samples the expansion that it
  follows (Hall 1988, "Theoretical Comparison of Bootstrap Confidence Intervals", Annals of
  Statistics 16), which needs no resamples: both follow a skew;
- where more than half of the values are the same, an exact bound on what was not seen, in
  proportion: all of it where all values are the same. None of n values having changed leaves a
  share of 1 - 0.025^(1/n) that may (Clopper and Pearson 1934, Biometrika 26), each as far as the
  scale goes. Changes that were seen count by their size (Stringer 1963, the bound of audits), what
  rose and what fell are put together by MOVER (Zou and Donner 2008, Statistics in Medicine 27).

A share gets Wilson's interval (JASA 22, 1927).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from assay.quantiles import beta_quantile, t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Clusters = NDArray[np.int64]

BOOTSTRAP_MAX = 1_000
RESAMPLES = 5_000
SEED = 20_240

_TAIL = 0.025
_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(1 - _TAIL)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """From where to where a mean lies, and by which method, in a reader's words. `p` is the least
    alpha at which the interval of confidence 1 - alpha leaves out 0."""

    low: float
    high: float
    method: str
    p: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends, the lower one first."""
        return self.low, self.high


def interval(
    values: Floats, scale: tuple[float, float] | None = None, *, clusters: Clusters | None = None
) -> Interval:
    """Return the 95% interval of the mean of `values` (at least two, finite).

    `scale` is the lowest and the highest that a value can be; without it nothing bounds what was
    not seen, and equal values have an interval of no width. `clusters` has the number of the
    cluster that each value belongs to (at least two of them), None where each is its own.
    """
    if clusters is not None:
        low, high = _clustered(values, clusters)
        return Interval(low=low, high=high, method="t over clusters")
    sampled = _sampled(values)
    usual, share = _commonest(values)
    weight = max(0.0, 2 * share - 1)
    if scale is None or not weight:
        return Interval(low=sampled[0], high=sampled[1], method="t, BCa")
    exact = _exact(values - usual, usual - scale[0], scale[1] - usual)
    return Interval(
        low=sampled[0] + weight * min(0.0, usual + exact[0] - sampled[0]),
        high=sampled[1] + weight * max(0.0, usual + exact[1] - sampled[1]),
        method="t, BCa, exact bound",
    )


def _clustered(values: Floats, clusters: Clusters) -> tuple[float, float]:
    """Return Student's t, each cluster one draw: of their sums less what the mean makes of them."""
    import numpy as np

    mean = float(values.mean())
    _, numbers = np.unique(clusters, return_inverse=True)
    sums = np.bincount(numbers, values - mean)
    k = len(sums)
    error = math.sqrt(k / (k - 1) * float((sums**2).sum())) / len(values)
    half = t_quantile(k - 1, 1 - _TAIL) * error
    return mean - half, mean + half


def wilson(rate: float, n: int) -> tuple[float, float]:
    """Return the 95% interval of a share (0..1) seen among `n`."""
    middle = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def combined(
    value: float, lows: tuple[float, float], highs: tuple[float, float]
) -> tuple[float, float]:
    """Return the 95% interval of a sum of two independent estimates that comes to `value`, each
    given by how far below and how far above it its own interval reaches (MOVER)."""
    return value - math.hypot(*lows), value + math.hypot(*highs)


def _sampled(values: Floats) -> tuple[float, float]:
    """Return the wider end, on each side, of Student's t and of the one that follows the skew."""
    mean, n = float(values.mean()), len(values)
    if values.min() == values.max():
        return mean, mean
    error = float(values.std(ddof=1)) / math.sqrt(n)
    half = t_quantile(n - 1, 1 - _TAIL) * error
    skewed = _bca(values, mean) if n <= BOOTSTRAP_MAX else _expanded(values, mean, error)
    return min(mean - half, skewed[0]), max(mean + half, skewed[1])


def _commonest(values: Floats) -> tuple[float, float]:
    """Return the value that occurs most often, and its share."""
    import numpy as np

    unique, counts = np.unique(values, return_counts=True)
    at = int(counts.argmax())
    return float(unique[at]), float(counts[at]) / len(values)


def _exact(changes: Floats, down: float, up: float) -> tuple[float, float]:
    """Return the interval of the mean of `changes`, of which most are 0 and none can lie further
    than `down` below or `up` above."""
    import numpy as np

    n = len(changes)
    fall, fall_low, fall_high = _one_sided(np.sort(-changes[changes < 0])[::-1], n, down)
    rise, rise_low, rise_high = _one_sided(np.sort(changes[changes > 0])[::-1], n, up)
    return combined(
        rise - fall, (fall_high - fall, rise - rise_low), (fall - fall_low, rise_high - rise)
    )


def _one_sided(sizes: Floats, n: int, most: float) -> tuple[float, float, float]:
    """Return the mean over `n` of what is 0 but for `sizes`, the largest first, and Stringer's
    bounds of it: the bounds of the share that has changed at all, each step weighted by a size."""
    import numpy as np

    lowest, highest = (bounds[: len(sizes) + 1] for bounds in _bounds(n))
    top = max(most, float(sizes[0]) if len(sizes) else 0.0)
    return (
        float(sizes.sum()) / n,
        float((np.diff(lowest) * sizes).sum()),
        float(highest[0]) * top + float((np.diff(highest) * sizes).sum()),
    )


@functools.lru_cache(maxsize=128)
def _bounds(n: int) -> tuple[Floats, Floats]:
    """Return Clopper and Pearson's bounds of the share of `n` of which none, one, two and so on to
    a half have changed: more never do where this is asked."""
    import numpy as np

    count = np.arange(n // 2 + 1)
    lowest = np.where(count, beta_quantile(np.maximum(count, 1), n - count + 1, _TAIL), 0.0)
    return lowest, beta_quantile(count + 1, n - count, 1 - _TAIL)


def _expanded(values: Floats, mean: float, error: float) -> tuple[float, float]:
    deviations = values - mean
    deviations /= float(values.std())
    shift = (2 * _Z**2 + 1) * float((deviations**3).mean()) / (6 * math.sqrt(len(values)))
    return mean + (shift - _Z) * error, mean + (shift + _Z) * error


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
