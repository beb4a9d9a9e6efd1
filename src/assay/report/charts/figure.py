"""A Plotly figure, and what several share: ticks, and the reach of an interval."""

from __future__ import annotations

from typing import Any

Figure = dict[str, Any]
_MOST_TICKS = 5


def ticks(low: int, high: int) -> list[int]:
    """Return the scores to write at an axis: both ends, and whole ones evenly between them where
    there are some, at most five."""
    between = range(_MOST_TICKS - 1, 0, -1)
    steps = next(steps for steps in between if (high - low) % steps == 0)
    return list(range(low, high + 1, (high - low) // steps))


def score_ticks(low: int, high: int) -> Figure:
    """Return an axis with each score written where there is room, as on 1 to 10."""
    return {"dtick": 1} if high - low < 2 * _MOST_TICKS else {"tickvals": ticks(low, high)}


def reach(metric: Any, bound: str) -> float:
    """Return how far the interval's `bound` is from the value."""
    limit = getattr(metric, bound, None)
    return 0.0 if limit is None or metric.value is None else abs(limit - metric.value)
