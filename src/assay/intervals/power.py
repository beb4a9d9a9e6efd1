"""How large a difference must be for its interval to show it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from assay.intervals.crossing import crossing
from assay.intervals.draws import Draws
from assay.intervals.evidence import Tail, tails_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]

_SHOWN = NormalDist().inv_cdf(0.975)
_POWER = NormalDist().inv_cdf(0.83)  # 80% is lost to what the error itself is unsure of
_DOUBLINGS = 20
_PAIRS, _FADING = 3, 6


def detectable(
    values: Floats,
    scale: tuple[float, float] | None = None,
    *,
    clusters: ClusterNumbers | None = None,
    rates: bool = False,
) -> float:
    """Return how far from 0 the true mean must be, on the side where that of `values` is, for the
    95% interval to leave out 0 in four runs of five: 80% power at 5%, two-sided. Of `rates` it is
    the mean of both sides: on the side of the mean the others happen to be few.

    More of a difference is taken to be these values with more of the ones on that side (Efron 1981,
    "Nonparametric Standard Errors and Confidence Intervals", Canadian Journal of Statistics 9) and
    fewer of the others; where many are the same, as many of the others, and of the end of the scale
    too, which may not have been seen. The mean that is wanted lies 0.95 of its standard errors
    beyond the least one whose interval leaves out 0: 0.84, were that error known. Where none on the
    scale does, its end counts, and without a scale 0.
    """
    low, high = tails_of(values, scale, clusters, rates)
    above, below = (low, high.end), (high, low.end)
    if rates:
        return (_detectable(*above) + _detectable(*below)) / 2
    return _detectable(*(above if low.draws.mean > 0 else below))


def _detectable(side: Tail, opposite: float | None) -> float:
    most = 0.0 if opposite is None else -opposite
    if side.draws.number < 2 or (not side.draws.error and not most):
        return most
    draws = _from_zero(side.draws)
    rare = _rare(side)
    if rare:
        draws = draws.with_end(most, rare**3)
    power = _just_shown(side, draws, 1 - rare)
    return most if power is None else _in_most_runs(draws, power, 1 - rare)


def _rare(side: Tail) -> float:
    """Return how far more of a difference is taken to be rare large ones instead of a shift of all:
    0 where no two draws are the same, 1 of rates, or where two of five pairs of draws are."""
    counts, n = side.draws.counts, side.draws.number
    same = float((counts * (counts - 1)).sum()) / (n * (n - 1))
    return 1.0 if side.rates else min(1.0, _PAIRS * same) ** _FADING


def _just_shown(side: Tail, draws: Draws, below: float) -> float | None:
    """Return how far the draws are to be tilted for their interval to leave out 0 by a hair, the
    low ones by the share `below`; None where no tilt does."""

    @cache
    def excess(power: float) -> float:
        return replace(side, draws=draws.tilted(power, below), once=True).score(0.0) - _SHOWN

    unit = 1 / (draws.error * float((draws.counts * draws.sizes).sum()))
    ends = [0.0, unit] if excess(0.0) < 0 else [-unit, 0.0]
    for _ in range(_DOUBLINGS):
        if excess(ends[0]) >= 0:
            ends = [2 * ends[0], ends[0]]
        elif excess(ends[1]) < 0:
            ends = [ends[1], 2 * ends[1]]
        else:
            return crossing(excess, ends[0], ends[1])
    return None


def _in_most_runs(draws: Draws, power: float, below: float) -> float:
    """Return the mean of the draws tilted until 80% of such means are above what is just shown,
    their mean at a tilt of `power`."""
    shown = draws.tilted(power, below).mean

    @cache
    def excess(further: float) -> float:
        tilted = draws.tilted(further, below)
        return tilted.mean - _POWER * tilted.error - shown

    unit = 1 / (draws.error * float((draws.counts * draws.sizes).sum()))
    most = power + unit
    for _ in range(_DOUBLINGS):
        if excess(most) >= 0:
            break
        most = power + 2 * (most - power)
    return draws.tilted(crossing(excess, power, most), below).mean


def _from_zero(draws: Draws) -> Draws:
    """Return the draws, lower where all are above 0: some mean of theirs must show nothing."""
    least = max(0.0, float((draws.sums / draws.sizes).min()))
    return replace(draws, sums=draws.beyond(least))
