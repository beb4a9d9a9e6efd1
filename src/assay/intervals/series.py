"""The scores of saddlepoint.py for many x over the same draws, by the sums of the draws' powers.

A cumulant generating function is a sum over the draws at every step of every x. Around 0, where the
saddlepoint of more than some dozens of draws is, it is a polynomial, whose coefficients are summed
once: the sums of the powers of the values around their mean, in units of the furthest, S(k). A term
is then y - d, of y from -1 to 1. What is left out of a polynomial is below the rounding of what is
in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from assay.intervals.saddlepoint import normal_score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_ROWS = 6  # S(0) to S(35) are the products of six powers with six
_WITHIN, _TERMS = 1.0, 21  # of an exponential: 1 / 19! is left out
_NEAR, _FEW = 0.1, 13
_RATIO = 0.35  # of a logarithm: its 35th power is left out


@dataclass(frozen=True, kw_only=True)
class Powers:
    """The sums S(k) of the k-th powers of draws, each less `centre` and in units of `reach`."""

    centre: float
    reach: float
    sums: tuple[float, ...]

    def and_one(self, value: float) -> Powers:
        """Return those with one more draw."""
        reach = max(self.reach, abs(value - self.centre))
        own, ratio = (value - self.centre) / reach, self.reach / reach
        sums = tuple(each * ratio**k + own**k for k, each in enumerate(self.sums))
        return Powers(centre=self.centre, reach=reach, sums=sums)

    @cached_property
    def exponential(self) -> tuple[float, ...]:
        """The coefficients of the sum of exp(t y), less S(0), the highest first."""
        each = [power / math.factorial(k) for k, power in enumerate(self.sums[:_TERMS])]
        return tuple(reversed([0.0, *each[1:]]))

    @cached_property
    def logarithm(self) -> tuple[float, ...]:
        """The coefficients of the sum of -log(1 - t y), the highest first."""
        each = [power / k for k, power in enumerate(self.sums[1:], 1)]
        return tuple(reversed([0.0, *each]))


def powers_of(values: Floats, counts: Floats) -> Powers:
    """Return the sums of the powers of `values`, each as often as `counts` says."""
    import numpy as np

    centre = float((counts * values).sum() / counts.sum())
    residuals = values - centre
    reach = float(np.abs(residuals).max()) or 1.0
    low = np.empty((_ROWS, len(values)))
    low[0], high = 1.0, np.empty((_ROWS, len(values)))
    np.divide(residuals, reach, out=low[1])
    for k in range(2, _ROWS):
        np.multiply(low[k - 1], low[1], out=low[k])
    step, high[0] = low[-1] * low[1], counts
    for k in range(1, _ROWS):
        np.multiply(high[k - 1], step, out=high[k])
    sums = np.einsum("in,jn->ij", high, low).ravel()
    return Powers(centre=centre, reach=reach, sums=tuple(sums.tolist()))


def resampled(powers: Powers, x: float) -> float | None:
    """Return what saddlepoint.resampled says of the draws less `x`; None where the polynomial does
    not reach that far."""
    number, d = powers.sums[0], (x - powers.centre) / powers.reach
    if powers.sums[1] <= number * d:
        return None

    def moments(at: float) -> tuple[float, float, float]:
        terms = powers.exponential[-_FEW:] if abs(at) <= _NEAR else powers.exponential
        more, first, second = _derived(terms, at)
        return more / number, first / (number + more), second / (number + more)

    def value(at: float) -> float:
        return number * (math.log1p(moments(at)[0]) - at * d)

    def slopes(at: float) -> tuple[float, float]:
        _, mean, square = moments(at)
        return number * (mean - d), number * max(0.0, square - mean**2)

    spread = powers.sums[2] ** 1.5
    skew = powers.sums[3] / spread if spread else 0.0
    return _between(value, slopes, -_WITHIN, skew)


def weighted(powers: Powers, x: float) -> float | None:
    """Return what saddlepoint.weighted says of the draws less `x`; None where the polynomial does
    not reach that far."""
    number, d = powers.sums[0], (x - powers.centre) / powers.reach
    if powers.sums[1] <= number * d:
        return None

    def value(at: float) -> float:
        apart = 1 + at * d
        return _derived(_needed(powers, at / apart), at / apart)[0] - number * math.log1p(at * d)

    def slopes(at: float) -> tuple[float, float]:
        # 1 - at (y - d) is apart (1 - at / apart y)
        apart = 1 + at * d
        _, first, second = _derived(_needed(powers, at / apart), at / apart)
        slope = first / apart**2 - number * d / apart
        return slope, number * (d / apart) ** 2 + (second / apart - 2 * d * first) / apart**3

    zeroth, first, second, third = powers.sums[:4]
    spread = (second - 2 * d * first + d**2 * zeroth) ** 1.5
    cubes = third - 3 * d * second + 3 * d**2 * first - d**3 * zeroth
    return _between(value, slopes, -_RATIO / (1 + _RATIO * d), 2 * cubes / spread)


def _between(
    value: Callable[[float], float],
    slopes: Callable[[float], tuple[float, float]],
    least: float,
    skew: float,
) -> float | None:
    """Return the score where the saddlepoint is between `least` and 0."""
    return None if slopes(least)[0] >= 0 else normal_score(value, slopes, (least, 0.0), skew)


def _needed(powers: Powers, at: float) -> Sequence[float]:
    """Return those terms of the logarithm that are not below rounding at `at`."""
    terms = 4 + math.ceil(-40 / math.log(abs(at))) if at else 3
    return powers.logarithm[-terms:]


def _derived(terms: Sequence[float], at: float) -> tuple[float, float, float]:
    """Return a polynomial and its first two derivatives."""
    value = first = second = 0.0
    for term in terms:
        second = second * at + first
        first = first * at + value
        value = value * at + term
    return value, first, 2 * second
