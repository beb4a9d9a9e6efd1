"""How surely a mean is above some x, as a normal score: 1.96 is 97.5%."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING

from assay.intervals.draws import Draws, concentration, draws_of
from assay.intervals.saddlepoint import resampled, weighted
from assay.quantiles import t_outside

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]

_NORMAL = NormalDist()
_ABOUT_THE_SAME = 1 / 50  # of the scale
_LEAST_P = 1e-300


@dataclass(frozen=True, kw_only=True)
class Tail:
    """What is needed to say how surely the mean of `draws` is above some x: the lower `end` of
    their scale, how much they agree, and whether they are differences of `rates`."""

    draws: Draws
    end: float | None
    agreement: float
    rates: bool

    def score(self, x: float) -> float:
        """Return how surely the mean is above `x`, as a normal score; 0 where it is not."""
        draws = self.draws
        if x >= draws.mean:
            return 0.0
        seen = min(_student(draws, x), _bootstrap(draws, x, 2 - self.agreement))
        if self.rates:
            seen = min(seen, _tango(draws, x, -(self.end or 0.0)))
        if self.end is None or not self.agreement:
            return max(0.0, seen)
        bounded = min(seen, weighted(self._with_end.beyond(x), self._with_end.counts))
        if bounded <= 0:
            return 0.0
        unsure = (1 - self.agreement) / seen + self.agreement / bounded
        return 1 / unsure if unsure else math.inf

    @cached_property
    def _with_end(self) -> Draws:
        return self.draws if self.end is None else self.draws.with_end(self.end, 1.0)


def tails_of(
    values: Floats, scale: tuple[float, float] | None, clusters: ClusterNumbers | None, rates: bool
) -> tuple[Tail, Tail]:
    """Return what says that the mean is above some x, and, each value with its sign turned, below
    it; what the arguments are, `interval` says."""
    draws, agreement = draws_of(values, clusters), _agreement(values, scale)
    paired = rates and clusters is None
    ends = (scale[0], -scale[1]) if scale else (None, None)
    low = Tail(draws=draws, end=ends[0], agreement=agreement, rates=paired)
    return low, replace(low, draws=draws.mirrored(), end=ends[1])


def _agreement(values: Floats, scale: tuple[float, float] | None) -> float:
    """Return 0 (spread over the scale) to 1 (two of five pairs of values, or more, are about the
    same). The power and the share are chosen by simulation (tests/bench/statistics): as little as
    holds the bar where rare losses hide among noise."""
    if scale is None:
        return 0.0
    near = concentration(values, _ABOUT_THE_SAME * (scale[1] - scale[0]))
    return float(min(1.0, 2.5 * near) ** 1.5)


def _student(draws: Draws, x: float) -> float:
    if not draws.error:
        return math.inf
    outside = t_outside(draws.freedom, (draws.mean - x) / draws.error)
    return -_NORMAL.inv_cdf(max(_LEAST_P, outside) / 2)


def _bootstrap(draws: Draws, x: float, times: float) -> float:
    """Return BCa's score, its bias and acceleration `times` as large as the skew that was seen."""
    skew = times * draws.acceleration
    plain = resampled(draws.beyond(x), draws.counts)
    if math.isinf(plain):
        return plain
    shifted = -plain - skew
    return skew - shifted / (1 + skew * shifted) if 1 + skew * shifted > 0 else math.inf


def _tango(draws: Draws, x: float, unit: float) -> float:
    """Return the score of a difference of paired rates being above `x`, in units of 100%."""
    delta, n = x / unit, draws.number
    rose = float(draws.counts[draws.sums > 0].sum())
    fell = float(draws.counts[draws.sums < 0].sum())
    half = -rose - fell + (2 * n - rose + fell) * delta
    root = math.sqrt(max(0.0, half**2 + 8 * n * fell * delta * (1 - delta)))
    spread = n * ((root - half) / (2 * n) + delta * (1 - delta))
    return (rose - fell - n * delta) / math.sqrt(spread) if spread > 0 else math.inf
