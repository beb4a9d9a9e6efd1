"""How likely so large a mean of paired differences is where each may as well have the other sign:
Fisher's sign flips, several dimensions flipped together (Westfall and Young 1993, "Resampling-Based
Multiple Testing"), exact for any noise that goes up as often as down."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST = 14
"""Of more pairs that moved no sign is left to chance: what is seen there, Student's t shows."""
_ROUNDING = 1e-9


def by_chance(differences: Floats) -> Floats:
    """Return for each column how often, over all signs of the rows, some column's mean lies as far
    from 0, in its own units; 0 where more than `MOST` rows differ from 0 at all."""
    import numpy as np

    moved = differences[np.any(differences != 0, axis=1)]
    size = np.sqrt((moved**2).sum(axis=0))
    if len(moved) > MOST:
        return np.zeros(differences.shape[1])
    if not len(moved):
        return np.ones(differences.shape[1])
    bits = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved))
    size[size == 0] = 1.0
    means = np.abs((1.0 - 2.0 * (bits & 1)) @ moved) / size
    seen = np.abs(moved.sum(axis=0)) / size
    share: Floats = (means.max(axis=1)[:, None] >= seen - _ROUNDING).mean(axis=0)
    return share
