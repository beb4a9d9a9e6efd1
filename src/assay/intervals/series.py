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
_EXPONENTIAL = ((0.02, 9), (0.1, 13), (1.0, 21))
"""Up to where so many terms are enough."""
_LOGARITHM = ((0.05, 18), (0.15, 26), (0.35, 36))


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
        each = [
            power / math.factorial(k) for k, power in enumerate(self.sums[: _EXPONENTIAL[-1][1]])
        ]
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
        more, first, second = _derived(powers.exponential, _EXPONENTIAL, at)
        return more / number, first / (number + more), second / (number + more)

    def value(at: float) -> float:
        return number * (math.log1p(moments(at)[0]) - at * d)

    def slopes(at: float) -> tuple[float, float]:
        _, mean, square = moments(at)
        return number * (mean - d), number * max(0.0, square - mean**2)

    first, second, third = powers.sums[1] - number * d, *powers.sums[2:4]
    return _between(value, slopes, -_EXPONENTIAL[-1][0], (first, second, third))


def weighted(powers: Powers, x: float) -> float | None:
    """Return what saddlepoint.weighted says of the draws less `x`; None where the polynomial does
    not reach that far."""
    number, d = powers.sums[0], (x - powers.centre) / powers.reach
    if powers.sums[1] <= number * d:
        return None

    def value(at: float) -> float:
        apart = 1 + at * d
        logarithms = _derived(powers.logarithm, _LOGARITHM, at / apart)[0]
        return logarithms - number * math.log1p(at * d)

    def slopes(at: float) -> tuple[float, float]:
        # 1 - at (y - d) is apart (1 - at / apart y)
        apart = 1 + at * d
        _, first, second = _derived(powers.logarithm, _LOGARITHM, at / apart)
        slope = first / apart**2 - number * d / apart
        return slope, number * (d / apart) ** 2 + (second / apart - 2 * d * first) / apart**3

    zeroth, first, second, third = powers.sums[:4]
    squares = second - 2 * d * first + d**2 * zeroth
    cubes = third - 3 * d * second + 3 * d**2 * first - d**3 * zeroth
    furthest = _LOGARITHM[-1][0]
    least = -furthest / (1 + furthest * d)
    return _between(value, slopes, least, (first - number * d, squares, 2 * cubes))


def _between(
    value: Callable[[float], float],
    slopes: Callable[[float], tuple[float, float]],
    least: float,
    cumulants: tuple[float, float, float],
) -> float | None:
    """Return the score where the saddlepoint is between `least` and 0, by the first three
    `cumulants`, which say about where it is."""
    mean, spread, third = cumulants
    if not spread or slopes(least)[0] >= 0:
        return None
    about = -mean / spread * (1 + third * mean / (2 * spread**2))
    start = about if least < about < 0 else 0.0
    return normal_score(value, slopes, (least, 0.0), third / spread**1.5, start)


def _derived(
    terms: Sequence[float], enough: Sequence[tuple[float, int]], at: float
) -> tuple[float, float, float]:
    """Return a polynomial and its first two derivatives, by as many terms as are `enough`."""
    last = next((number for end, number in enough if abs(at) <= end), len(terms))
    value = first = second = 0.0
    for term in terms[-last:]:
        second = second * at + first
        first = first * at + value
        value = value * at + term
    return value, first, 2 * second
