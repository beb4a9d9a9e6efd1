"""How surely a mean is above some x, as a normal score: 1.96 is 97.5%."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from assay.intervals import series
from assay.intervals.draws import Draws, draws_of
from assay.intervals.saddlepoint import resampled, weighted
from assay.intervals.series import Powers, powers_of
from assay.quantiles import t_score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]

_QUIET, _FADING = 1 / 40, 1.25
_UNSEEN_SKEW, _FEW = 60, 20


@dataclass(frozen=True, kw_only=True)
class Tail:
    """What is needed to say how surely the mean of `draws` is above some x: the lower `end` of
    their scale, and whether they are differences of `rates`; `once` where one x is asked about."""

    draws: Draws
    end: float | None
    rates: bool
    once: bool = False

    @cached_property
    def agreement(self) -> float:
        """From 0 (spread as far as to the end of the scale) to 1 (of rates, and where the mean
        distance from the median is a fortieth of the end's, or less). The fortieth and the power
        are chosen by simulation (tests/bench/statistics): where 1% fall all the way, unseen among
        any noise, a bar is broken in no more than 3% of all runs."""
        if self.end is None:
            return 0.0
        quiet = _QUIET * abs(self.draws.median - self.end)
        spread = 0.0 if self.rates else self.draws.spread
        return 1.0 if spread <= quiet else float((quiet / spread) ** _FADING)

    @cached_property
    def _skews(self) -> float:
        """How many times the skew that was seen counts: few values show too little of it, and the
        fewer they are, the less; where a scale bounds what was not seen, that counts instead."""
        if self.end is not None:
            return 2 - self.agreement
        return 2 + _UNSEEN_SKEW / max(_FEW, self.draws.number)

    def score(self, x: float) -> float:
        """Return how surely the mean is above `x`, as a normal score; 0 where it is not."""
        draws = self.draws
        if x >= draws.mean:
            return 0.0
        seen = min(_student(draws, x), self._bootstrap(x))
        if self.rates:
            seen = min(seen, _tango(draws, x, -(self.end or 0.0)))
        if self.end is None or not self.agreement:
            return max(0.0, seen)
        bounded = min(seen, self._bounded(x))
        if bounded <= 0:
            return 0.0
        unsure = (1 - self.agreement) / seen + self.agreement / bounded
        return 1 / unsure if unsure else math.inf

    def _bootstrap(self, x: float) -> float:
        """Return BCa's score, its bias and acceleration larger than the skew that was seen."""
        skew = self._skews * self.draws.acceleration
        plain = series.resampled(self._powers, x) if self._powers else None
        if plain is None:
            plain = resampled(self.draws.beyond(x), self.draws.counts)
        if math.isinf(plain):
            return plain
        shifted = -plain - skew
        return skew - shifted / (1 + skew * shifted) if 1 + skew * shifted > 0 else math.inf

    def _bounded(self, x: float) -> float:
        """Return the score of the exact bound."""
        known = series.weighted(self._powers_with_end, x) if self._powers_with_end else None
        if known is not None:
            return known
        return weighted(self._with_end.beyond(x), self._with_end.counts)

    @cached_property
    def _powers(self) -> Powers | None:
        """Those of single values: what draws of several are less some x is no shift of them."""
        draws = self.draws
        if self.once or draws.sizes.max() > 1:
            return None
        return powers_of(draws.sums, draws.counts)

    @cached_property
    def _powers_with_end(self) -> Powers | None:
        powers = self._powers
        return None if powers is None or self.end is None else powers.and_one(self.end)

    @cached_property
    def _with_end(self) -> Draws:
        return self.draws if self.end is None else self.draws.with_end(self.end, 1.0)


def tails_of(
    values: Floats, scale: tuple[float, float] | None, clusters: ClusterNumbers | None, rates: bool
) -> tuple[Tail, Tail]:
    """Return what says that the mean is above some x, and, each value with its sign turned, below
    it; what the arguments are, `interval` says."""
    draws, paired = draws_of(values, clusters), rates and clusters is None
    low, high = (scale[0], -scale[1]) if scale else (None, None)
    return (
        Tail(draws=draws, end=low, rates=paired),
        Tail(draws=draws.mirrored(), end=high, rates=paired),
    )


def _student(draws: Draws, x: float) -> float:
    if not draws.error:
        return math.inf
    return t_score(draws.freedom, (draws.mean - x) / draws.error)


def _tango(draws: Draws, x: float, unit: float) -> float:
    """Return the score of a difference of paired rates being above `x`, in units of 100%."""
    delta, n = x / unit, draws.number
    rose = float(draws.counts[draws.sums > 0].sum())
    fell = float(draws.counts[draws.sums < 0].sum())
    half = -rose - fell + (2 * n - rose + fell) * delta
    root = math.sqrt(max(0.0, half**2 + 8 * n * fell * delta * (1 - delta)))
    spread = n * ((root - half) / (2 * n) + delta * (1 - delta))
    return (rose - fell - n * delta) / math.sqrt(spread) if spread > 0 else math.inf
