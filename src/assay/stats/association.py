"""How far two scores of the same samples go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def rank_correlation(left: Floats, right: Floats) -> float | None:
    """Return Spearman's rho, tied values at their mean rank; None where a side is constant or
    there are fewer than three pairs."""
    import numpy as np

    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return None
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def weighted_kappa(left: Floats, right: Floats) -> float | None:
    """Return Cohen's kappa with quadratic weights, None where chance alone would agree on
    everything."""
    # over all pairs: E(a-b)^2 = var(a) + var(b) + (mean a - mean b)^2
    chance = float(left.var() + right.var() + (left.mean() - right.mean()) ** 2)
    return None if chance == 0 else 1 - float(((left - right) ** 2).mean()) / chance


def _ranks(values: Floats) -> Floats:
    import numpy as np

    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Floats = np.cumsum(counts) - (counts - 1) / 2
    return middle[where]
