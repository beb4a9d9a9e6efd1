"""What a mean is of, as independent draws: each value one, or each cluster of values one.

A draw has a sum and a size, the mean is all sums over all sizes, and equal draws are kept once
with their count. They are sorted, so that the order of the values moves no digit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    ClusterNumbers = NDArray[np.int64]

_NEGLIGIBLE = 1e-9  # of one draw
_ROUNDING = 1e-12  # of the greatest sum


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Draws by their `sums`, their `sizes` and how often each occurs; single values are `apart`
    times as far from their median as the draws' own means are from theirs."""

    sums: Floats
    sizes: Floats
    counts: Floats
    apart: float = 1.0

    @cached_property
    def number(self) -> float:
        """How many draws there are."""
        return float(self.counts.sum())

    @cached_property
    def mean(self) -> float:
        """The mean of all values."""
        return float((self.counts * self.sums).sum()) / self._total

    @cached_property
    def error(self) -> float:
        """The mean's standard error: of clusters the sandwich, each residual made larger by what
        its cluster itself pulled the mean (Bell and McCaffrey 2002, Survey Methodology 28)."""
        pull = 1 - self.sizes / self._total
        return math.sqrt(float((self.counts * self._residuals**2 / pull).sum())) / self._total

    @cached_property
    def freedom(self) -> float:
        """The degrees of freedom of the error: one less than the draws where all are of a size,
        fewer where a few large ones decide (Satterthwaite 1946, Biometrics Bulletin 2)."""
        squares = float((self.counts * self.sizes**2).sum())
        return max(1.0, squares**2 / float((self.counts * self.sizes**4).sum()) - 1)

    @cached_property
    def median(self) -> float:
        """A median of the draws' own means."""
        import numpy as np

        order = np.argsort(self._means)
        below = np.cumsum(self.counts[order])
        return float(self._means[order][np.searchsorted(below, below[-1] / 2)])

    @cached_property
    def spread(self) -> float:
        """How far the values are from their median, on average."""
        deviations = self.counts * abs(self._means - self.median)
        return self.apart * float(deviations.sum()) / self.number

    @cached_property
    def acceleration(self) -> float:
        """A sixth of the skewness of the mean (Efron 1987)."""
        squares = self.counts * self._residuals**2  # numpy's third power takes ten times as long
        spread = float(squares.sum()) ** 1.5
        return float((squares * self._residuals).sum()) / (6 * spread) if spread else 0.0

    @cached_property
    def usual_size(self) -> float:
        """How large the draw is that a value is in, on average."""
        return float((self.counts * self.sizes**2).sum()) / self._total

    def beyond(self, mean: float) -> Floats:
        """Return how far above what a `mean` would make of it each sum is."""
        return self.sums - mean * self.sizes

    def with_end(self, end: float, count: float) -> Draws:
        """Return the draws and `count` more of the usual size, all of whose values are `end`."""
        import numpy as np

        size = self.usual_size
        return replace(
            self,
            sums=np.append(self.sums, end * size),
            sizes=np.append(self.sizes, size),
            counts=np.append(self.counts, count),
        )

    def tilted(self, power: float, below: float) -> Draws:
        """Return as many draws with more of the high ones (`power` above 0) or fewer of them, and
        by the share `below` as much fewer or more of the low ones."""
        import numpy as np

        residuals = self._residuals
        powers = power * np.where(residuals > 0, residuals, below * residuals)
        counts = self.counts * np.exp(powers - powers.max())
        counts *= self.number / float(counts.sum())
        kept = counts > _NEGLIGIBLE
        return replace(self, sums=self.sums[kept], sizes=self.sizes[kept], counts=counts[kept])

    def mirrored(self) -> Draws:
        """Return the draws with the sign of each value turned."""
        return replace(self, sums=-self.sums)

    @cached_property
    def _means(self) -> Floats:
        return self.sums / self.sizes

    @cached_property
    def _total(self) -> float:
        return float((self.counts * self.sizes).sum())

    @cached_property
    def _residuals(self) -> Floats:
        residuals = self.beyond(self.mean)
        # equal values are not equal to their own mean where that is rounded
        residuals[abs(residuals) <= _ROUNDING * abs(self.sums).max()] = 0.0
        return residuals


def draws_of(values: Floats, clusters: ClusterNumbers | None) -> Draws:
    """Return the draws that `values` are, each value in the cluster of that number."""
    import numpy as np

    if clusters is None:
        sums, counts = np.unique(values, return_counts=True)
        return Draws(sums=sums, sizes=np.ones(len(sums)), counts=counts.astype(np.float64))
    order = np.lexsort((values, clusters))
    _, numbers = np.unique(clusters[order], return_inverse=True)
    columns = [np.bincount(numbers, values[order]), np.bincount(numbers)]
    pairs: Floats = np.stack(columns, axis=1).astype(np.float64)
    each, counts = np.unique(pairs, axis=0, return_counts=True)
    draws = Draws(sums=each[:, 0], sizes=each[:, 1], counts=counts.astype(np.float64))
    single = draws_of(values, None).spread
    return replace(draws, apart=single / draws.spread) if draws.spread else draws
