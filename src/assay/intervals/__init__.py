"""The interval of a mean of scores, wide enough for few samples and for rare large changes.

Each method says how surely the mean is not as low as some x, as a normal score: 1.96 is 97.5%. The
least of the scores counts, an end of the interval is where it reaches 1.96, and the p value of 0
is what it is there. So the interval is as wide as the widest of

- Student's t, which is right where scores are about normal;
- the bias-corrected and accelerated bootstrap (Efron 1987, "Better Bootstrap Confidence Intervals",
  JASA 82), which follows a skew. Few values show too little of their skew, so it counts twice,
  and of very few up to five times, where nothing else bounds what was not seen;
- of paired rates, Tango's score (1998, Statistics in Medicine 17);
- where the values differ little next to how far one could, an exact bound: one value more, at
  the end of the scale, and each weighted by chance (Gaffke 2005; Learned-Miller and Thomas 2020,
  arXiv 1905.06208). Where all values are the same, or 0 and 100, it is Clopper and Pearson's (1934,
  Biometrika 26). It counts by how little they differ (evidence.py).

Values in clusters are drawn together. A share of values without clusters gets Wilson's interval
(JASA 22, 1927).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from assay.intervals.crossing import crossing
from assay.intervals.draws import draws_of
from assay.intervals.evidence import Tail, tails_of
from assay.intervals.power import detectable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]

__all__ = ["SEED", "Interval", "combined", "detectable", "interval", "mean_error", "wilson"]

SEED = 20_240

_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(0.975)
_WIDENINGS = 60


@dataclass(frozen=True, kw_only=True)
class Interval:
    """From where to where a mean lies, and by which methods, in a reader's words. `p` is the least
    alpha at which the interval of confidence 1 - alpha leaves out 0; None where nothing says."""

    low: float
    high: float
    method: str
    p: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends, the lower one first."""
        return self.low, self.high


def interval(
    values: Floats,
    scale: tuple[float, float] | None = None,
    *,
    clusters: ClusterNumbers | None = None,
    rates: bool = False,
    level: float = 0.95,
) -> Interval:
    """Return the interval of the mean of `values` (at least two, finite).

    `scale` is the lowest and the highest that a value can be; without it nothing bounds what was
    not seen, and equal values have an interval of no width. `clusters` has the number of the
    cluster that each value belongs to, None where each is its own; of a single cluster nothing is
    known but the scale. `rates` says that the values are differences of rates on that scale, each
    its lower end, 0 or its upper end.
    """
    low, high = tails_of(values, scale, clusters, rates)
    mean, wanted = low.draws.mean, _NORMAL.inv_cdf((1 + level) / 2)
    if low.draws.number < 2:
        least, most = scale or (mean, mean)
        return Interval(low=least, high=most, method="one cluster", p=1.0 if scale else None)
    if not low.draws.error and scale is None:
        return Interval(low=mean, high=mean, method="all the same")
    return Interval(
        low=mean - _distance(low, wanted),
        high=mean + _distance(high, wanted),
        method=_method(low, clusters),
        p=2 * _NORMAL.cdf(-max(0.0, (low if mean > 0 else high).score(0.0))),
    )


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Return the 95% interval of a share (0..1) seen among `n`."""
    middle = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_error(values: Floats, clusters: ClusterNumbers | None = None) -> float:
    """Return the standard error of the mean of `values`, at least two; of those in `clusters`,
    where there is more than one of them, by the sandwich."""
    draws = draws_of(values, clusters)
    return draws.error if draws.number > 1 else math.inf


def combined(
    value: float, lows: tuple[float, float], highs: tuple[float, float]
) -> tuple[float, float]:
    """Return the 95% interval of a sum of two independent estimates that comes to `value`, each
    given by how far below and how far above it its own interval reaches (MOVER: Zou and Donner
    2008, Statistics in Medicine 27)."""
    return value - math.hypot(*lows), value + math.hypot(*highs)


def _distance(side: Tail, wanted: float) -> float:
    """Return how far below the mean the score is as `wanted`."""
    mean, error = side.draws.mean, side.draws.error
    most = math.inf if side.end is None else mean - side.end
    if most <= 0:
        return 0.0

    @cache
    def excess(distance: float) -> float:
        return side.score(mean - distance) - wanted

    near, far = 0.0, min(most, wanted * error or most / side.draws.number)
    for _ in range(_WIDENINGS):
        if far >= most or excess(far) >= 0:
            break
        near, far = far, min(most, 1.5 * far)
    return crossing(excess, near, far)


def _method(side: Tail, clusters: ClusterNumbers | None) -> str:
    names = ["Tango"] * side.rates + ["t", "BCa bootstrap"]
    names += ["exact bound"] * (side.agreement > 0)
    return f"widest of {', '.join(names)}{' over clusters' * (clusters is not None)}"
