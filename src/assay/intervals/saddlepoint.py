"""How surely a sum of randomly weighted terms is above 0, as a normal score (1.96: in 97.5% of all
draws), by the saddlepoint approximation of Lugannani and Rice (1980, "Saddle Point Approximation
for the Distribution of the Sum of Independent Random Variables", Advances in Applied Probability
12). It takes the place of drawing: nothing is random, and a tail has as many digits as the middle.

Products of arrays are summed without `@`: for long ones that wakes a thread for each core, which
takes ten times as long as the sum, and more where the cores have other work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_Value = Callable[[float], float]
"""The cumulant generating function of a sum."""
_Slopes = Callable[[float], tuple[float, float]]
"""Its first and its second derivative."""

_STEPS = 200
_CLOSE, _MIDDLE, _TINY = 1e-12, 1e-4, 1e-300
_NOTHING = 1e-100  # of the greatest term


def weighted(terms: Floats, counts: Floats) -> float:
    """Return the score of a sum in which each of `terms`, as often as `counts` says, is weighted
    by a draw of its own from the exponential distribution."""
    import numpy as np

    terms = _scaled(terms)
    if (known := _one_sided(terms)) is not None:
        return known

    def left(at: float) -> Floats:
        return np.maximum(1 - at * terms, _TINY)

    def value(at: float) -> float:
        return -float((counts * np.log(left(at))).sum())

    def slopes(at: float) -> tuple[float, float]:
        ratio = terms / left(at)
        shares = counts * ratio
        return float(shares.sum()), float((shares * ratio).sum())

    skew = 2 * _skewness(terms, counts)
    return normal_score(value, slopes, (1 / float(terms.min()), 1 / float(terms.max())), skew)


def resampled(terms: Floats, counts: Floats) -> float:
    """Return the score of a sum of as many draws from `terms` as there are, each term as likely as
    `counts` says: the bootstrap's (Davison and Hinkley 1988, "Saddlepoint Approximations in
    Resampling Methods", Biometrika 75)."""
    import numpy as np

    terms, n = _scaled(terms), float(counts.sum())
    if (known := _one_sided(terms)) is not None:
        return known
    powers = np.array([np.ones(len(terms)), terms, terms**2])
    ends = float(terms.min()), float(terms.max())

    def moments(at: float) -> tuple[float, float, float]:
        """Of the tilted terms: their logarithmic mass, their mean and their mean square."""
        most = max(at * end for end in ends)
        masses = counts * np.exp(at * terms - most)
        mass, first, second = np.einsum("ij,j->i", powers, masses).tolist()
        return most + math.log(mass / n), first / mass, second / mass

    def slopes(at: float) -> tuple[float, float]:
        _, mean, square = moments(at)
        return n * mean, n * max(0.0, square - mean**2)

    skew = _skewness(terms - float((counts * terms).sum()) / n, counts)
    return normal_score(lambda at: n * moments(at)[0], slopes, (-math.inf, math.inf), skew)


def _scaled(terms: Floats) -> Floats:
    """Return the terms with the greatest as 1, and as 0 those whose inverse would overflow."""
    import numpy as np

    greatest = float(np.abs(terms).max())
    scaled = terms / greatest if greatest else terms
    return np.where(np.abs(scaled) < _NOTHING, 0.0, scaled)


def _one_sided(terms: Floats) -> float | None:
    """Return the score where no term is below 0, or none is above."""
    if terms.max() <= 0:
        return -math.inf
    return math.inf if terms.min() >= 0 else None


def _skewness(terms: Floats, counts: Floats) -> float:
    """Return the skewness of the sum of draws whose means are 0."""
    squares = counts * terms**2
    spread = float(squares.sum()) ** 1.5
    return float((squares * terms).sum()) / spread if spread else 0.0


def normal_score(
    value: _Value, slopes: _Slopes, ends: tuple[float, float], skew: float, start: float = 0.0
) -> float:
    """Return the score by a cumulant generating function and its derivatives, whose saddlepoint is
    between the `ends` and looked for from `start`; the `skew` of the sum says it where that is 0.
    """
    at, spread = _saddlepoint(slopes, *ends, start)
    root = math.copysign(math.sqrt(max(0.0, -2 * value(at))), at)
    if abs(root) < _MIDDLE:
        return -skew / 6
    return -root - math.log(max(at * math.sqrt(spread) / root, _TINY)) / root


def _saddlepoint(slopes: _Slopes, low: float, high: float, at: float) -> tuple[float, float]:
    """Return where between `low` and `high` the first derivative is 0, with the second one there:
    by Newton's steps, halving where one leaves the bracket."""
    for _ in range(_STEPS):
        slope, spread = slopes(at)
        low, high = (at, high) if slope < 0 else (low, at)
        step = -slope / max(spread, _TINY)
        widest = 2 * abs(at) + 1
        following = at + max(-widest, min(widest, step))
        if abs(following - at) <= _CLOSE * abs(at) + _TINY:
            break
        at = following if low < following < high else (low + high) / 2
    return at, spread
