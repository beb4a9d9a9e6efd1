"""Where a growing function crosses 0."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS, _CLOSE = 100, 1e-9


def crossing(excess: Callable[[float], float], low: float, high: float) -> float:
    """Return where between `low` (below 0) and `high` the `excess`, which grows, is 0; `high` where
    it does not get there: the false position, halved where it sticks (Illinois)."""
    below, above = excess(low), excess(high)
    if above <= 0:
        return high
    for _ in range(_STEPS):
        if high - low <= _CLOSE * max(abs(high), abs(low)):
            break
        at = high - (high - low) * above / (above - below) if math.isfinite(above) else math.nan
        at = at if low < at < high else (low + high) / 2
        value = excess(at)
        if value < 0:
            low, below, above = at, value, above / 2
        else:
            high, above, below = at, value, below / 2
    return high
