"""Where a growing function crosses 0."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS, _CLOSE = 100, 1e-9


def crossing(excess: Callable[[float], float], low: float, high: float) -> float:
    """Return where between `low` (below 0) and `high` the `excess`, which grows, is 0; `high` where
    it does not get there: by the false position, where an end that stays counts half (Illinois:
    Dowell and Jarratt 1971, BIT 11)."""
    below, above = excess(low), excess(high)
    if above <= 0:
        return high
    last = 0.0
    for _ in range(_STEPS):
        if high - low <= _CLOSE * max(abs(high), abs(low)):
            break
        at = high - (high - low) * above / (above - below) if math.isfinite(above) else math.nan
        at = at if low < at < high else (low + high) / 2
        value = excess(at)
        if abs(value) <= _CLOSE:
            return at
        if value < 0:
            low, below, above = at, value, above / 2 if last < 0 else above
        else:
            high, above, below = at, value, below / 2 if last > 0 else below
        last = value
    return high
