"""Quantiles of the beta and of Student's t distribution, over numpy alone.

scipy has both, and with what it loads would make the image that judges and reports a quarter
larger; the tests hold these to scipy's numbers. The incomplete beta function is the continued
fraction of DLMF 8.17.22, by the modified method of Lentz; its inverse is Newton's method, halving
where that leaves the bracket.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LARGE = 500
_STEPS = 1_100  # as many halvings as there are between 1 and the least number
_TERMS = 10_000
_TINY = 1e-300
_LEAST_P, _FURTHEST = 1e-300, 10.0
_NORMAL = NormalDist()
_CLOSE, _ROUNDING, _CONVERGED = 1e-11, 1e-15, 1e-14


def beta_quantile(a: ArrayLike, b: ArrayLike, share: float) -> Floats:
    """Return where the beta distribution of `a` and `b` (at least 0.5 each) has `share` (0..1) of
    its mass below, for each pair of them: to nine digits, and where both are above `LARGE` by the
    approximation of Abramowitz and Stegun, 26.5.22, which is right to five."""
    import numpy as np

    a, b = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    large = np.minimum(a, b) > LARGE
    quantiles = np.empty(a.shape)
    quantiles[large] = _approximate(a[large], b[large], share)
    quantiles[~large] = _solved(a[~large], b[~large], share)
    return quantiles


@functools.lru_cache(maxsize=1024)
def t_quantile(freedom: float, share: float) -> float:
    """Return where Student's t distribution with `freedom` degrees has `share` (more than a half,
    at most 0.995) of its mass below."""
    part = float(beta_quantile(0.5, freedom / 2, 2 * share - 1))
    return math.sqrt(freedom * part / (1 - part))


def t_outside(freedom: float, distance: float) -> float:
    """Return how much of Student's t distribution with `freedom` degrees lies further from 0 than
    `distance` on either side: the two-sided p value of that t."""
    a, whole = freedom / 2, freedom + distance**2
    x, rest = freedom / whole, distance**2 / whole  # 1 - x has no digits left near 0
    near = x <= (a + 1) / (a + 2.5)
    tail = _tail(a, 0.5, x, rest) if near else _tail(0.5, a, rest, x)
    return tail if near else 1 - tail


def t_score(freedom: float, distance: float) -> float:
    """Return which normal score is as far out as `distance` is of Student's t distribution with
    `freedom` degrees: 1.96 for 2.0 with 61. Of more than `LARGE` degrees, and where it is no more
    than ten, by the expansion of Hill (1970, Algorithm 395, Communications of the ACM 13), which
    is right to thirteen digits there."""
    if freedom <= LARGE or distance > _FURTHEST:
        return -_NORMAL.inv_cdf(max(_LEAST_P, t_outside(freedom, distance)) / 2)
    a = freedom - 0.5
    b, y = 48 * a**2, a * math.log1p(distance**2 / freedom)
    last = (((-0.4 * y - 3.3) * y - 24) * y - 85.5) / (0.8 * y**2 + 100 + b)
    return ((last + y + 3) / b + 1) * math.sqrt(y)


def _tail(a: float, b: float, x: float, rest: float) -> float:
    """Return the incomplete beta function of one `x`, with `rest` = 1 - x: as `_mass`, for many
    calls in plain numbers."""
    if x <= 0:
        return 0.0
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    power = math.exp(a * math.log(x) + b * math.log(rest) - log_beta)
    ratio = 1 / (1 - (a + b) * x / (a + 1))
    front, value = 1.0, ratio
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        ratio, front = 1 / (1 + even * ratio), 1 + even / front
        value *= ratio * front
        ratio, front = 1 / (1 + odd * ratio), 1 + odd / front
        value *= ratio * front
        if abs(ratio * front - 1) < _CONVERGED:
            break
    return power / a * value


def _solved(a: Floats, b: Floats, share: float) -> Floats:
    import numpy as np

    low, high, log_beta = np.zeros(a.shape), np.ones(a.shape), _log_beta(a, b)
    x = a / (a + b)
    close = _CLOSE + _ROUNDING * (a + b)  # the gamma function's logarithm is rounded
    for _ in range(_STEPS):
        excess = _mass(a, b, x, log_beta) - share
        low, high = np.where(excess < 0, x, low), np.where(excess < 0, high, x)
        with np.errstate(all="ignore"):
            log_density = (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - log_beta
            newton = x - excess / np.exp(log_density)
        inside = (newton > low) & (newton < high)
        before, x = x, np.where(inside, newton, (low + high) / 2)
        if np.all((np.abs(x - before) <= close * x) | (high - low <= close * high)):
            break
    return x


def _approximate(a: Floats, b: Floats, share: float) -> Floats:
    import numpy as np

    z = -NormalDist().inv_cdf(share)
    mean = 2 / (1 / (2 * a - 1) + 1 / (2 * b - 1))
    bend = (z * z - 3) / 6
    lean = (1 / (2 * b - 1) - 1 / (2 * a - 1)) * (bend + 5 / 6 - 2 / (3 * mean))
    return np.asarray(a / (a + b * np.exp(2 * (z * np.sqrt(mean + bend) / mean - lean))))


def _mass(a: Floats, b: Floats, x: Floats, log_beta: Floats) -> Floats:
    """Return the regularised incomplete beta function, by whichever end converges faster."""
    import numpy as np

    turned = x > (a + 1) / (a + b + 2)
    p, q, y = np.where(turned, b, a), np.where(turned, a, b), np.where(turned, 1 - x, x)
    with np.errstate(divide="ignore"):
        power = p * np.log(y) + q * np.log1p(-y) - log_beta
    tail = np.exp(power) / p * _fraction(p, q, y)
    return np.asarray(np.where(turned, 1 - tail, tail))


def _log_beta(a: Floats, b: Floats) -> Floats:
    import numpy as np

    log_gamma = np.vectorize(math.lgamma, otypes=[float])
    return np.asarray(log_gamma(a) + log_gamma(b) - log_gamma(a + b))


def _fraction(a: Floats, b: Floats, x: Floats) -> Floats:
    import numpy as np

    ratio = 1 / _away_from_0(1 - (a + b) * x / (a + 1))
    front, value = np.ones_like(x), ratio
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            ratio = 1 / _away_from_0(1 + step * ratio)
            front = _away_from_0(1 + step / front)
            value = value * ratio * front
        if np.all(np.abs(ratio * front - 1) < _CONVERGED):
            break
    return value


def _away_from_0(values: Floats) -> Floats:
    import numpy as np

    return np.where(np.abs(values) < _TINY, _TINY, values)
